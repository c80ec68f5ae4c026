{
  # As much of nixpkgs as our flake touches, so that it is checked without a network: a small module
  # system, and packages that build to an empty file. tests/packaging/test_nix.py uses it.
  description = "stand-in for nixpkgs";

  outputs =
    { self }:
    let
      lib = import ./lib.nix;
      packages = system: import ./packages.nix { inherit lib system; };
    in
    {
      inherit lib;
      legacyPackages = lib.genAttrs [ "x86_64-linux" "aarch64-linux" ] packages;
    }
    // {
      lib = lib // {
        nixosSystem = { system, modules }: import ./nixos.nix { inherit lib modules; pkgs = packages system; };
      };
    };
}
