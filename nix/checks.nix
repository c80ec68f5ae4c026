# What the module makes of its options; each check is a derivation that builds if all holds.
{
  lib,
  pkgs,
  nixos,
}:
let
  base = {
    services.appliance.enable = true;
    system.stateVersion = "25.05";
  };
  eval = options: (nixos [ base options ]).config;
  failed = config: map (one: one.message) (lib.filter (one: !one.assertion) config.assertions);
  ours = config: lib.filter (lib.hasPrefix "services.appliance") (failed config);
  check =
    name: facts:
    let
      wrong = lib.filter (fact: !facts.${fact}) (lib.attrNames facts);
    in
    if wrong == [ ] then
      pkgs.runCommand "appliance-${name}" { } "echo ok > $out"
    else
      throw "${name}: not so: ${lib.concatStringsSep ", " wrong}";

  server = eval { services.appliance.openFirewall = true; };
  agent = eval {
    services.appliance = {
      role = "agent";
      serverAddr = "https://pi-1:6443";
      tokenFile = "/run/secrets/token";
      runtime = "docker";
      extraFlags = [ "--log-format=json" ];
    };
  };
  lonely = eval { services.appliance.role = "agent"; };
  off = (nixos [ { system.stateVersion = "25.05"; } ]).config;
  start = config: config.systemd.services.appliance.serviceConfig.ExecStart;
in
{
  module-server = check "module-server" {
    "it runs the server" = lib.hasInfix "/bin/appliance server --config " (start server);
    "Podman is enabled" = server.virtualisation.podman.enable;
    "the API's port is open" = lib.elem 6443 server.networking.firewall.allowedTCPPorts;
    "nothing is wrong" = ours server == [ ];
  };
  module-agent = check "module-agent" {
    "it runs the agent" = lib.hasInfix "/bin/appliance agent --config " (start agent);
    "further flags follow" = lib.hasSuffix " --log-format=json" (start agent);
    "Docker is enabled" = agent.virtualisation.docker.enable;
    "its ports stay closed" = !(lib.elem 6443 agent.networking.firewall.allowedTCPPorts);
    "nothing is wrong" = ours agent == [ ];
  };
  module-faults = check "module-faults" {
    "both faults are told" = lib.length (ours lonely) == 2;
    "it is off unless enabled" = !(off.systemd.services ? appliance);
  };
}
