# The command, from this checkout; what it needs comes from nixpkgs, so versions are ranges.
{
  lib,
  python3Packages,
  nftables,
}:
let
  inherit (builtins.fromTOML (builtins.readFile ../pyproject.toml)) project;
in
python3Packages.buildPythonApplication {
  pname = project.name;
  inherit (project) version;
  pyproject = true;

  src = lib.fileset.toSource {
    root = ../.;
    fileset = lib.fileset.unions [
      ../appliance
      ../pyproject.toml
      ../README.md
      ../LICENSE
    ];
  };

  build-system = [ python3Packages.poetry-core ];

  # "uvicorn>=0.30" -> python3Packages.uvicorn: the names are the same.
  dependencies = map (
    need: python3Packages.${builtins.head (builtins.match "([a-z0-9-]+).*" need)}
  ) project.dependencies;

  # libnftables.so.1 is opened by its name while it runs.
  makeWrapperArgs = [ "--prefix LD_LIBRARY_PATH : ${lib.makeLibraryPath [ nftables ]}" ];

  pythonImportsCheck = [
    "appliance"
    "appliance.cli.main"
  ];

  meta = {
    inherit (project) description;
    license = lib.licenses.asl20;
    mainProgram = "appliance";
    platforms = lib.platforms.linux;
  };
}
