# Modules to one configuration: options with defaults and types, mkIf, mkDefault, lists that add up.
{
  lib,
  pkgs,
  modules,
}:
let
  inherit (builtins)
    attrNames
    concatMap
    filter
    foldl'
    isAttrs
    isFunction
    isList
    isPath
    mapAttrs
    ;
  load =
    module:
    if isPath module then
      load (import module)
    else if isFunction module then
      module args
    else
      module;
  flatten =
    module:
    let
      loaded = load module;
    in
    concatMap flatten (loaded.imports or [ ]) ++ [ loaded ];
  parts = concatMap flatten ([ ./options.nix ] ++ modules);

  options = foldl' lib.recursiveUpdate { } (map (part: part.options or { }) parts);
  definitions = map (part: part.config or (removeAttrs part [ "imports" "options" ])) parts;

  isA = type: value: isAttrs value && (value._type or "") == type;
  # A condition goes down to the leaves, so that names are known before conditions are.
  pushDown =
    value:
    if isA "if" value then
      mapAttrs (_: content: lib.mkIf value.condition content) (pushDown value.content)
    else
      value;
  # The values of definitions whose conditions hold.
  holding =
    value: if isA "if" value then (if value.condition then holding value.content else [ ]) else [ value ];
  strongest =
    values:
    let
      firm = filter (value: !(isA "default" value)) values;
    in
    if firm != [ ] then firm else map (value: value.content) values;
  # Lists add up, sets merge, of other values the last wins.
  merge =
    values:
    let
      all = strongest (concatMap holding values);
      first = builtins.head all;
    in
    if isList first then
      builtins.concatLists all
    else if isAttrs first && !(first ? outPath) then
      mapAttrs (name: _: merge (map (set: set.${name}) (filter (set: set ? ${name}) all))) (
        foldl' (a: b: a // b) { } all
      )
    else
      builtins.elemAt all (builtins.length all - 1);

  # Every definition must have an option of its type; an option without one has its default.
  fill =
    path: tree: given:
    if isA "option" tree then
      let
        some = concatMap holding given != [ ];
        value = if some then merge given else tree.default or (throw "${path} has no value");
      in
      if !(tree.type or (_: true)) value then throw "${path} is of another type" else value
    else
      let
        pushed = map pushDown given;
        unknown = filter (name: !(tree ? ${name})) (concatMap attrNames pushed);
      in
      if unknown != [ ] then
        throw "there is no option ${path}.${builtins.head unknown}"
      else
        mapAttrs (
          name: below:
          fill "${path}.${name}" below (
            map (set: set.${name}) (filter (set: set ? ${name}) pushed)
          )
        ) tree;

  config = fill "config" options definitions;
  args = {
    inherit config lib;
    pkgs = foldl' (set: overlay: set // overlay set set) pkgs config.nixpkgs.overlays;
  };
in
{
  inherit config options;
}
