"""Cut a node off from all others, and heal it: rules in the node that drop what its link carries.

    python3 -m appliance.testing.wire cut|heal

Run in a node's container by `Node.cut` and `Node.heal`. As with a pulled cable nobody is told;
connections hang. Other than with a cable the link stays up, so no address and no route is lost.
"""

import sys

from appliance.kit.nftables import Nft

_TABLE = "inet appliance_cut"
_CUT = f"""
table {_TABLE} {{
  chain in {{ type filter hook prerouting priority -500; iifname "eth*" drop; }}
  chain out {{ type filter hook postrouting priority 500; oifname "eth*" drop; }}
}}
"""


def main(verb: str) -> None:
    """Write the rules, or take them back."""
    with Nft() as nft:
        # `add` first: deleting a table that is not there is an error.
        nft.run_text(
            f"add table {_TABLE}\ndelete table {_TABLE}\n" + (_CUT if verb == "cut" else "")
        )


if __name__ == "__main__":
    main(sys.argv[1])
