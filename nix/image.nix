# A host to flash: a server by default. Import it with nixosModules.default and set
# services.appliance.{role,serverAddr,tokenFile} and your ssh key; partitions are nixpkgs' raw-efi.
{ lib, ... }:
{
  services.appliance.enable = lib.mkDefault true;
  services.appliance.openFirewall = lib.mkDefault true;
  services.openssh.enable = lib.mkDefault true;
  networking.hostName = lib.mkDefault "appliance";
  boot.kernelParams = [ "console=ttyS0" ];
  documentation.enable = lib.mkDefault false;
  system.stateVersion = lib.mkDefault "25.05";
}
