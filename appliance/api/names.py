"""Syntax of names: each check gives the list of faults, empty when all is well.

Validation of kinds puts these texts after the field path, so they are upstream's word for word
(apimachinery `util/validation`, and its younger `api/validate/content`).
"""

import re

_LABEL_1123 = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN_1123 = _LABEL_1123 + r"(\." + _LABEL_1123 + ")*"
_RELAXED_LABEL = "[_a-z0-9]([-_a-z0-9]*[_a-z0-9])?"
_SEARCH_LABEL = "_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?"
_SEARCH_DOMAIN = _SEARCH_LABEL + r"(\._?[a-z0-9]([-_a-z0-9]*[a-z0-9])?)*"
_LABEL_1035 = "[a-z]([-a-z0-9]*[a-z0-9])?"
_WILDCARD = r"\*\." + _SUBDOMAIN_1123
_QUALIFIED = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_LABEL_VALUE = "(" + _QUALIFIED + ")?"
_C_IDENTIFIER = "[A-Za-z_][A-Za-z0-9_]*"
_ENV_VAR = "[-._a-zA-Z][-._a-zA-Z0-9]*"
_CONFIG_KEY = "[-._a-zA-Z0-9]+"
_HTTP_HEADER = "[-A-Za-z0-9]+"
_PERCENT = "[0-9]+%"

LABEL_MAX = 63
SUBDOMAIN_MAX = 253
PORT_NAME_MAX = 15


def dns_label(text: str) -> list[str]:
    """RFC 1123 label: names of namespaces, containers, volumes."""
    return _limit(text, LABEL_MAX) + _match(
        text,
        _LABEL_1123,
        "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-',"
        " and must start and end with an alphanumeric character",
        "my-name",
        "123-abc",
    )


def dns_subdomain(text: str) -> list[str]:
    """RFC 1123 subdomain: names of most objects."""
    return _limit(text, SUBDOMAIN_MAX) + _match(
        text,
        _SUBDOMAIN_1123,
        "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters,"
        " '-' or '.', and must start and end with an alphanumeric character",
        "example.com",
    )


def dns_search_domain(text: str) -> list[str]:
    """A subdomain in which a label may start with an underscore: dnsConfig.searches."""
    return _limit(text, SUBDOMAIN_MAX) + _match(
        text,
        _SEARCH_DOMAIN,
        "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters,"
        " '_', '-' or '.', and must start and end with an alphanumeric character",
        "example.com",
    )


def dns_wildcard(text: str) -> list[str]:
    """`*.` and a subdomain: hosts of ingresses."""
    return _limit(text, SUBDOMAIN_MAX) + _match(
        text,
        _WILDCARD,
        "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain,"
        " which must consist of lower case alphanumeric characters, '-' or '.' and end with an"
        " alphanumeric character",
        "*.example.com",
    )


def dns_1035_label(text: str) -> list[str]:
    """RFC 1035 label, starts with a letter: names of services."""
    return _limit(text, LABEL_MAX) + _match(
        text,
        _LABEL_1035,
        "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with"
        " an alphabetic character, and end with an alphanumeric character",
        "my-name",
        "abc-123",
    )


def path_segment(text: str) -> list[str]:
    """Anything that can stand between slashes: names of roles and bindings."""
    if text in {".", ".."}:
        return [f"may not be '{text}'"]
    return [f"may not contain '{bad}'" for bad in ("/", "%") if bad in text]


_KEY_PART = (
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an"
    " alphanumeric character"
)


def qualified_name(text: str) -> list[str]:
    """`example.com/name` or `name`: keys of labels and annotations, finalizers, resources."""
    *prefixes, name = text.split("/")
    if len(prefixes) > 1:
        examples = _regex_note(_QUALIFIED, "MyName", "my.name", "123-abc")
        return [
            f"a valid label key {_KEY_PART} {examples} with an optional DNS subdomain prefix and"
            " '/' (e.g. 'example.com/MyName')"
        ]
    faults = []
    if prefixes:
        if not prefixes[0]:
            faults.append("prefix part must be non-empty")
        else:
            faults += [f"prefix part {fault}" for fault in dns_subdomain(prefixes[0])]
    if not name:
        faults.append("name part must be non-empty")
    elif len(name.encode()) > LABEL_MAX:
        faults.append(f"name part must be no more than {LABEL_MAX} bytes")
    return faults + _match(
        name, _QUALIFIED, f"name part {_KEY_PART}", "MyName", "my.name", "123-abc"
    )


def label_value(text: str) -> list[str]:
    """Value of a label; may be empty."""
    faults = []
    if len(text.encode()) > LABEL_MAX:
        faults.append(f"must be no more than {LABEL_MAX} bytes")
    return faults + _match(
        text,
        _LABEL_VALUE,
        "a valid label must be an empty string or consist of alphanumeric characters, '-', '_'"
        " or '.', and must start and end with an alphanumeric character",
        "MyValue",
        "my_value",
        "12345",
    )


def c_identifier(text: str) -> list[str]:
    """An identifier of the language C."""
    return _match(
        text,
        _C_IDENTIFIER,
        "a valid C identifier must start with alphabetic character or '_', followed by a string"
        " of alphanumeric characters or '_'",
        "my_name",
        "MY_NAME",
        "MyName",
    )


def env_var_name(text: str) -> list[str]:
    """Name of an environment variable, strict form (envFrom keys that get skipped)."""
    faults = _match(
        text,
        _ENV_VAR,
        "a valid environment variable name must consist of alphabetic characters, digits, '_',"
        " '-', or '.', and must not start with a digit",
        "my.env-name",
        "MY_ENV.NAME",
        "MyEnvName1",
    )
    return faults + _dots(text)


def relaxed_env_var_name(text: str) -> list[str]:
    """Name of an environment variable as pods may have it today."""
    if not text:
        return ["environment variable name must be non-empty"]
    if all(" " <= char <= "~" and char != "=" for char in text):
        return []
    return [
        "a valid environment variable name must consist only of printable ASCII characters other"
        " than '='"
    ]


def config_key(text: str) -> list[str]:
    """Key of a config map or a secret."""
    return (
        _limit(text, SUBDOMAIN_MAX)
        + _match(
            text,
            _CONFIG_KEY,
            "a valid config key must consist of alphanumeric characters, '-', '_' or '.'",
            "key.name",
            "KEY_NAME",
            "key-name",
        )
        + _dots(text)
    )


def http_header(text: str) -> list[str]:
    """Name of an HTTP header in a probe."""
    return _match(
        text,
        _HTTP_HEADER,
        "a valid HTTP header must consist of alphanumeric characters or '-'",
        "X-Header-Name",
    )


def port_name(text: str) -> list[str]:
    """IANA service name, at most 15 characters: names of ports."""
    faults = []
    if len(text) > PORT_NAME_MAX:
        faults.append(f"must be no more than {PORT_NAME_MAX} characters")
    if not re.fullmatch(r"[-a-z0-9]+", text):
        faults.append("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)")
    if not re.search(r"[a-z]", text):
        faults.append("must contain at least one letter (a-z)")
    if "--" in text:
        faults.append("must not contain consecutive hyphens")
    if text and "-" in {text[0], text[-1]}:
        faults.append("must not begin or end with a hyphen")
    return faults


def port_number(port: int) -> list[str]:
    """1 to 65535."""
    return [] if 1 <= port <= 65535 else ["must be between 1 and 65535, inclusive"]


def percent(text: str) -> list[str]:
    """`25%`."""
    return _match(
        text,
        _PERCENT,
        "a valid percent string must be a numeric string followed by an ending '%'",
        "1%",
        "93%",
    )


def _limit(text: str, most: int) -> list[str]:
    return [f"must be no more than {most} characters"] if len(text) > most else []


def _dots(text: str) -> list[str]:
    if text == ".":
        return ["must not be '.'"]
    if text == "..":
        return ["must not be '..'"]
    return ["must not start with '..'"] if text.startswith("..") else []


def _match(text: str, pattern: str, rule: str, *examples: str) -> list[str]:
    if re.fullmatch(pattern, text):
        return []
    return [f"{rule} {_regex_note(pattern, *examples)}"]


def _regex_note(pattern: str, *examples: str) -> str:
    shown = " or ".join(f"'{e}', " for e in examples).removesuffix(", ")
    return f"(e.g. {shown}, regex used for validation is '{pattern}')"
