# The options of NixOS that our modules set, each of the type it has there.
{ lib, pkgs, ... }:
let
  inherit (lib) mkOption types;
  off = mkOption { type = types.bool; default = false; };
  list = mkOption { type = types.listOf (_: true); default = [ ]; };
  attrs = mkOption { type = types.attrs; default = { }; };
  text = mkOption { type = types.str; default = ""; };
in
{
  options = {
    assertions = list;
    boot.kernel.sysctl = attrs;
    boot.kernelParams = list;
    documentation.enable = off;
    environment.systemPackages = list;
    networking.firewall.allowedTCPPorts = list;
    networking.firewall.allowedUDPPorts = list;
    networking.hostName = text;
    nixpkgs.overlays = list;
    services.openssh.enable = off;
    system.build = mkOption {
      type = types.attrs;
      default.images.raw-efi = pkgs.runCommand "nixos-image" { } "echo image > $out";
    };
    system.stateVersion = text;
    systemd.services = attrs;
    virtualisation.docker.enable = off;
    virtualisation.podman.enable = off;
  };
}
