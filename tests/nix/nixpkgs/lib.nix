# The functions of nixpkgs' lib that we call, by the same names and with the same results.
let
  inherit (builtins)
    attrNames
    elem
    filter
    head
    isString
    length
    listToAttrs
    replaceStrings
    stringLength
    substring
    ;
in
rec {
  inherit
    attrNames
    elem
    filter
    length
    ;
  genAttrs = names: make: listToAttrs (map (name: { inherit name; value = make name; }) names);
  concatStringsSep = builtins.concatStringsSep;
  hasPrefix = part: text: substring 0 (stringLength part) text == part;
  hasSuffix =
    part: text:
    let
      start = stringLength text - stringLength part;
    in
    start >= 0 && substring start (-1) text == part;
  hasInfix = part: text: replaceStrings [ part ] [ "" ] text != text;
  optional = condition: item: if condition then [ item ] else [ ];
  optionalAttrs = condition: attrs: if condition then attrs else { };
  escapeShellArg =
    text:
    if builtins.match "[a-zA-Z0-9,._+:@%/=-]+" text != null then
      text
    else
      "'${replaceStrings [ "'" ] [ "'\\''" ] text}'";
  escapeShellArgs = args: concatStringsSep " " (map escapeShellArg args);
  makeLibraryPath = packages: concatStringsSep ":" (map (one: "${one}/lib") packages);
  recursiveUpdate =
    a: b:
    a
    // builtins.mapAttrs (
      name: value:
      if a ? ${name} && builtins.isAttrs a.${name} && builtins.isAttrs value then recursiveUpdate a.${name} value else value
    ) b;

  licenses.asl20.spdxId = "Apache-2.0";
  platforms.linux = [ "x86_64-linux" ];
  fileset = {
    unions = paths: paths;
    toSource = { root, fileset }: assert builtins.all builtins.pathExists fileset; root;
  };

  # Modules
  mkOption = option: option // { _type = "option"; };
  mkEnableOption = what: mkOption { type = types.bool; default = false; description = "Whether to enable ${what}."; };
  mkIf = condition: content: { _type = "if"; inherit condition content; };
  mkDefault = content: { _type = "default"; inherit content; };
  types = {
    bool = builtins.isBool;
    str = isString;
    attrs = builtins.isAttrs;
    package = value: value ? outPath;
    enum = choices: value: elem value choices;
    nullOr = type: value: value == null || type value;
    listOf = type: value: builtins.isList value && builtins.all type value;
  };
}
