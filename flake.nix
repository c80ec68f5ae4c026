{
  description = "appliance: Kubernetes for small hosts";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";

  outputs =
    { self, nixpkgs }:
    let
      inherit (nixpkgs) lib;
      systems = [
        "x86_64-linux"
        "aarch64-linux"
      ];
      forEach = make: lib.genAttrs systems (system: make system nixpkgs.legacyPackages.${system});
      # A NixOS of modules, for the image and the checks.
      nixos =
        system: modules:
        nixpkgs.lib.nixosSystem {
          inherit system;
          modules = [ self.nixosModules.default ] ++ modules;
        };
    in
    {
      packages = forEach (
        system: pkgs: rec {
          appliance = pkgs.callPackage ./nix/package.nix { };
          default = appliance;
          # A disk image to flash; its configuration is ./nix/image.nix, not appliance.yaml.
          image = (nixos system [ self.nixosModules.image ]).config.system.build.images.raw-efi;
        }
      );

      apps = forEach (
        system: _pkgs: {
          default = {
            type = "app";
            program = "${self.packages.${system}.default}/bin/appliance";
          };
        }
      );

      overlays.default = final: _prev: { appliance = final.callPackage ./nix/package.nix { }; };

      nixosModules = {
        default = {
          imports = [ ./nix/module.nix ];
          nixpkgs.overlays = [ self.overlays.default ];
        };
        image.imports = [ ./nix/image.nix ];
      };

      checks = forEach (
        system: pkgs:
        {
          package = self.packages.${system}.default;
        }
        // import ./nix/checks.nix {
          inherit lib pkgs;
          nixos = nixos system;
        }
      );

      devShells = forEach (
        system: pkgs: {
          default = pkgs.mkShell {
            inputsFrom = [ self.packages.${system}.default ];
            packages = [
              pkgs.poetry
              pkgs.kubectl
              pkgs.shellcheck
            ];
          };
        }
      );
    };
}
