# Packages that build, by /bin/sh alone, to a file with their name.
{ lib, system }:
let
  build =
    name: script:
    derivation {
      inherit name system;
      builder = "/bin/sh";
      args = [ "-c" script ];
    };
  named = name: build name "echo ${name} > $out";
  # What nixpkgs calls these; a name that is not here fails, as it would there.
  python = lib.genAttrs [
    "click"
    "cryptography"
    "dnslib"
    "docker"
    "fastapi"
    "httptools"
    "httpx"
    "msgspec"
    "podman"
    "poetry-core"
    "prometheus-client"
    "pyroute2"
    "pyyaml"
    "sqlalchemy"
    "structlog"
    "uvicorn"
    "uvloop"
    "websockets"
  ] named;
  pkgs = {
    inherit lib;
    nftables = named "nftables";
    poetry = named "poetry";
    kubectl = named "kubectl";
    shellcheck = named "shellcheck";
    runCommand = name: _: script: build name script;
    mkShell = _: named "shell";
    formats.yaml = _: {
      type = builtins.isAttrs;
      generate = name: value: builtins.toFile name (builtins.toJSON value);
    };
    python3Packages = python // {
      buildPythonApplication =
        attrs:
        assert builtins.length attrs.dependencies > 0;
        build "${attrs.pname}-${attrs.version}" "echo ${builtins.concatStringsSep " " attrs.dependencies} > $out"
        // {
          inherit (attrs) pname version meta;
        };
    };
    callPackage =
      path: overrides:
      let
        make = import path;
        wanted = builtins.functionArgs make;
      in
      make (builtins.intersectAttrs wanted pkgs // overrides);
  };
in
pkgs
