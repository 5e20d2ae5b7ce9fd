r"""What is hidden, and how it is found: the ordered, named table of rules.

The names of keys began as Sentry's default denylist and were widened where hiding too much costs nothing. What
providers' credentials look like is in ``credential_formats`` and ``provider_rules``. ``docs/redaction.md`` shows this table to people.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from tocsin.core.redaction.credential_formats import FORMS, PRIVATE_KEYS
from tocsin.core.redaction.finders import (
    PARAMETERS_END,
    ROW_END,
    bank_account,
    basic,
    card,
    email,
    encoded_userinfo_password,
    public_address,
    quoted_values,
    until,
    userinfo_password,
)
from tocsin.core.redaction.key_values import (
    INNOCENT,
    NOT_OURS,
    SEPARATOR,
    counter_or_value,
    credentials,
    header,
    key,
    path_or_value,
    phrase,
    value,
)
from tocsin.core.redaction.named_values import (
    named_personal,
    named_secrets,
    numbers_of_persons,
    told_in_prose,
)
from tocsin.core.redaction.provider_rules import FORMS as PROVIDER_FORMS
from tocsin.core.redaction.quoted_values import QUOTATIONS, quoted
from tocsin.core.redaction.records import records
from tocsin.core.redaction.rule import EDGE, Rule, by_words
from tocsin.core.redaction.shapes import provider_forms, random_looking

# The secret that is not the :secret: of an ARN among them.
SECRET_WORDS: Final = r"""
    password passwd passwort passphrase passcode mysql_pwd client_assertion (?<![\d*]:)secret api_key
    access_key account_key private_key signing_key encryption_key master_key service_key auth_key sas_key
    app_key application_key subscription_key functions_key ssh_key consumer_key hmac_key storage_key
    connection_string conn_str webhook_url csrf xsrf
""".split()
WHOLE_WORDS: Final = """
    pass pw auth x_auth session session_id session_key phpsessid jsessionid connect.sid sid dsn otp totp
    mfa_code pin cvv cvc security_code jwt bearer creds salt storepass keypass ssn social_security_number
    social_security mrn medical_record_number npi npi_number dea dea_number license_number licence_number
    driver_license drivers_license driving_licence national_id nhs_number aadhaar medicare_number
    medicaid_number medicaid_id medicare_id mbi member_id insurance_id policy_number passport
    passport_number tax_id ein itin account_number routing_number iban card_number credit_card fax
    latitude longitude email e_mail email_address x_forwarded_for x_real_ip remote_addr client_ip
""".split()
PHRASE_WORDS: Final = """
    first_name last_name full_name middle_name maiden_name surname given_name family_name home_address
    street_address mailing_address patient_name patient_id patient provider_name doctor_name
    physician_name emergency_contact dob date_of_birth birth_date birthdate diagnosis phone phone_number
    mobile_number
""".split()
_HEADER_WORDS: Final = ("authorization", "cookie", "x-amz-security-token", "x-api-key")
_QUERY_WORDS: Final = """
    x_amz_signature x_amz_credential x_amz_security_token x_goog_signature x_goog_credential signature sig
    awsaccesskeyid key_pair_id policy code auth hmac hdnea ticket
""".split()


def _spellings(words: Sequence[str]) -> tuple[str, ...]:
    """The needles for names whose parts may be joined by _ or - or a blank or nothing.

    A needle that begins with another is left out: where it stands, the other stands too.
    """
    plain = (word.rpartition(")")[2] for word in words)
    needles: list[str] = []
    for needle in sorted({word.replace("_", joint) for word in plain for joint in ("_", "-", " ", "")}):
        if not needles or not needle.startswith(needles[-1]):
            needles.append(needle)
    return tuple(needles)


def _alternatives(words: Sequence[str]) -> list[str]:
    """The expressions for the same names, longest first."""
    return [
        word.replace(".", r"\.").replace("_", r"[_\- ]?") for word in sorted(words, key=len, reverse=True)
    ]


def sensitive_key(name: str, what: str, words: Sequence[str], *, whole: bool = False) -> Rule:
    """A rule for the values of keys; ``whole`` when a word must not be a part of a longer name."""
    return Rule(name, what, _spellings(words), key(*_alternatives(words), whole=whole), value)


_TELLING: Final = r"(?=[^\s\d]{0,60}\d)[^\s\"'`,;)\]}]{6,}"
"""What in a sentence is a secret rather than a word: six characters or more with a digit."""
_ARGUMENT: Final = r"""(?:[ \t]{1,4}|=|["'],[ ]?)(?:\\{0,16}["'])?(?P<hide>[^\s"'-][^\s"']*)"""
"""The value of an option of a command, also in a list of arguments."""
_BEFORE_OPTION: Final = r"""(?:[^\n]{0,300}?[\s"'])"""

COMMAND_LINES: Final[tuple[Rule, ...]] = (
    Rule("credential", "Options whose name says so: `--password x`, `--api-key x`", ("--",),
         r"(?i)--[\w\-]{0,30}(?:password|passwd|secret|token|api-?key|passphrase)"
         r"(?![\w\-]{0,20}(?:file|path|name|stdin|url|type))[\w\-]{0,20}[ \t]{1,4}(?!-)", value),
    by_words("command-line", "`mysql -psecret` and its kin", "mysql mariadb",
             rf"(?:mysql|mariadb){_BEFORE_OPTION}-p(?P<hide>[^\s\"'][^\s\"']*)"),
    Rule("command-line", "`-p` of sshpass, `docker login` and others; `-a` of redis-cli, `-w` of the ldap tools, `-P` of sqlcmd",
         ("sshpass", "docker login", "podman login", "registry login", "az login", "mongosh", "mongodump", "mongorestore",
          "redis-cli", "ldap", "sqlcmd"),
         rf"(?:(?:sshpass|login|docker login|podman login|registry login|az login|mongo\w){_BEFORE_OPTION}-p|"
         rf"redis-cli{_BEFORE_OPTION}-a|ldap\w{_BEFORE_OPTION}-w|sqlcmd{_BEFORE_OPTION}-P){_ARGUMENT}"),
    by_words("command-line", "`-k` and `-pass` of openssl", "openssl",
             rf"openssl{_BEFORE_OPTION}-(?:k|pass|passin|passout){_ARGUMENT}"),
    by_words("command-line", "`-storepass` and `-keypass` of Java's keytool", "-storepass -keypass -srcstorepass -deststorepass",
             rf"-(?:src|dest)?(?:store|key)pass{_ARGUMENT}"),
    by_words("url-password", "curl's `-u user:password`", "-u --user --proxy-user",
             r"(?:-u|--user|--proxy-user)[ =](?:\\{0,16}[\"'])?[\w.@\-]{1,64}:(?P<hide>[^\s\"']+)"),
)  # fmt: skip

_PROVIDERS_BEGIN: Final = tuple(
    dict.fromkeys(needle for _, needles, _ in PROVIDER_FORMS for needle in needles.split())
)

RULES: Final[tuple[Rule, ...]] = (
    *PRIVATE_KEYS,

    # Headers.
    Rule("header", "The headers `Authorization`, `Proxy-Authorization`, `Cookie`, `Set-Cookie`, `X-Api-Key`, in whatever way they are written",
         _HEADER_WORDS, rf"(?i:{NOT_OURS}(?:{'|'.join(_HEADER_WORDS)})(?:2|s|[_\-]header|[_\-]value)?){SEPARATOR}", header),
    by_words("bearer", "`Bearer` and a token", "bearer",
             r"(?i:bearer)(?:\s|%20|\+){1,4}(?:\\{0,16}[\"'])?(?P<hide>(?=[a-z]{0,200}[A-Z0-9_=])[A-Za-z0-9._~+/=%\-]{12,})"),
    Rule("basic", "`Basic` and the base64 of a user and password", ("basic",),
         r"(?i:basic)(?:\s|%20|\+){1,4}(?P<hide>[A-Za-z0-9+/]{4,}={0,2})", basic),

    *FORMS,

    # Passwords in URLs.
    Rule("url-password", "The password in a URL, or a user that is a token; in a database's URL also with unescaped `@` and `/`",
         ("@",), "@", userinfo_password),
    Rule("url-password", "The same in a percent-encoded URL", ("%40", "%2540"), "%(?:25)?40", encoded_userinfo_password),
    by_words("url-password", "Oracle's thin form, `user/password@host`", "oracle:",
             r"(?i)oracle:[a-z0-9]{1,10}:[^\s/@\"']{1,64}/(?P<hide>[^\s\"']{1,256})@"),
    *COMMAND_LINES,

    # Values of keys, of XML elements, and of what stands in for a key.
    sensitive_key("credential", "Values of keys with `password`, `secret`, `api_key` and the like in their name", SECRET_WORDS),
    Rule("credential", "Values of `credentials`", ("credential",), key("credentials?"), credentials),
    Rule("credential", "Values of keys with `token` or `sig`; numbers of up to nine digits stay, for tokens are counted too",
         ("token", "sig"), key(r"(?<!nexpected )(?<!(?-i:Request))tokens?", r"(?<![a-z])sig(?![a-z])"), counter_or_value),
    Rule("credential", "Values of `pwd` that are no path", ("pwd",), key("pwd", "oldpwd", whole=True), path_or_value),
    by_words("credential", "Keys for events and incidents: PagerDuty's routing key, New Relic's license key",
             "routing_key integration_key license_key", r"(?i)(?:routing|integration|license)_key[\"']?\s?[=:]\s?[\"']?(?P<hide>[\w\-]{20,})"),
    sensitive_key("sensitive", "Values of keys such as `pin`, `otp`, `session`, `ssn`, `mrn`, `npi`, `iban`, `email`", WHOLE_WORDS, whole=True),
    Rule("personal", "Values, also of several words, of keys such as `first_name`, `patient`, `dob`, `diagnosis`, `phone`",
         _spellings(PHRASE_WORDS), key(*_alternatives(PHRASE_WORDS), whole=True), phrase),
    Rule("credential", "A quoted text behind `password`, also SQL's `IDENTIFIED BY '…'`", ("password", "passwd", "identified by"),
         r"""(?i)(?:password|passwd|identified by)(?:\s{1,4}|\s{0,4}\(\s{0,4})(?=\\{0,64}["'][^\s,;:)\]}])""", value),
    Rule("credential", "`password x1`, `password is x1`, `secret value x1`, `AUTH x1`, where x1 is six characters or more with a digit; also in columns",
         ("password", "passcode", "passphrase", "secret value", "auth "),
         rf"(?:(?i:pass(?:word|code|phrase)|secret value)(?:\s(?:is|was|set to|changed to))?|AUTH)(?:[ \t]{{1,4}}|\\{{1,16}}t|[ \t]{{0,8}}(?:\||\.{{3,40}})[ \t]{{1,8}})(?P<hide>{_TELLING})"),
    by_words("credential", "A quoted text behind a name that ends in `_token`, `_key`, `_secret`", "_token _key _secret",
             r"""(?i)_(?:token|key|secret)\s{1,2}\\{0,16}(?P<quote>["'])(?P<hide>[^\s"'\\]{8,})(?=\\{0,16}(?P=quote))"""),
    Rule("credential", "What stands behind the words `license key`, `signing key`, `fernet key` and the like, where it has twelve characters and a digit",
         tuple(f"{kind} key" for kind in ("license", "licence", "fernet", "signing", "access", "secret", "private", "encryption", "api", "with")),
         r"(?i)[a-z]{3,10} key(?:\s(?:is|was))?[ \t]{1,2}(?P<hide>(?=[^\s\d]{0,60}\d)(?:base64:)?[\w+/=\-]{12,})"),
    by_words("credential", "Laravel's `base64:` keys", "base64:", r"base64:[A-Za-z0-9+/]{43}="),
    by_words("credential", "A variable's name and a value behind a blank: `DB_PASSWORD x1`", "_password _passwd _secret _secret_access_key _token _api_key",
             rf"(?i)_(?:password|passwd|secret(?:_access_key)?|token|api_key)[ \t]{{1,4}}(?P<hide>{_TELLING})"),
    by_words("credential", "XML elements of such names", "< &lt;",
             rf"(?i)(?:<|&lt;)(?:[\w:.\-]{{0,40}}?(?:{'|'.join(_alternatives(SECRET_WORDS))}|credentials?|token){INNOCENT}[\w:.\-]{{0,40}}|"
             rf"(?:[\w\-]{{1,20}}[:_])?(?:{'|'.join(_alternatives((*WHOLE_WORDS, *PHRASE_WORDS, 'pwd')))}))"
             r"(?:\s[^<>]{0,200})?(?:>|&gt;)(?P<hide>[^<&]+(?=<|&lt;)|[^<&\s]+(?=\s*\Z))"),
    by_words("credential", "XML's `key=\"ApiKey\" value=\"x\"`", "key= name=",
             rf"(?i)(?:key|name)=\\{{0,8}}[\"'][\w:.\-]{{0,40}}?(?:{'|'.join(_alternatives(SECRET_WORDS))}|credentials?|token){INNOCENT}[\w:.\-]{{0,40}}"
             r"\\{0,8}[\"']\s{1,4}value=\\{0,8}[\"'](?P<hide>[^\"'\\]+)"),
    by_words("query", "Parameters that only in a URL mean a secret: `code`, `sig`, `X-Amz-Signature`", "? & %26 %3f \\u0026",
             rf"(?i)(?:[?&]|%(?:25){{0,3}}(?:26|3F)|\\u0026)(?:amp;)?(?:{'|'.join(_alternatives(_QUERY_WORDS))})"
             r"(?:=|%(?:25){0,3}3D)(?P<hide>(?:(?!%(?:25){0,3}26|\\u0026)[^\s&\"'<>`;]){6,})"),
    by_words("url-secret", "The secret segment of a URL's path, with its host or without: after `services`, `webhooks`, `input`, `integration`, `reset` and the like",
             "/services/ /webhook /hook /input/ /integration /receiver/ /collector/ /token /reset /verify /invite /magic /unsubscribe /login/ /soap/ /auth",
             r"(?i)/(?:services|(?:web)?hooks?(?:b2)?|input|integrations?|receiver|collector|tokens?|reset(?:[\-_]?password)?|verify|invites?|invitations?|"
             r"magic(?:[\-_]?link)?|unsubscribe|login|soap|auth)(?:/[a-z0-9.\-_]{1,20}){0,2}/(?P<hide>(?=[a-z\-_]{0,30}\d)[\w\-=%.]{20,256})"),
    by_words("url-secret", "The last segment of a webhook's path behind the ids before it, whatever it looks like", "/services/t /workflows/t /triggers/t /webhooks/",
             r"(?i)/(?:(?:services|workflows|triggers)/T?[0-9A-Z]{6,14}/[0-9A-Z]{6,20}(?:/\d{1,20})?|webhooks/\d{15,20})/(?P<hide>[\w\-]{8,256})"),
    by_words("key", "Base64 of a key or certificate, also a line of one alone", "mii", r"(?<![A-Za-z0-9+/])MII[A-Za-z0-9+/]{30,4096}={0,2}"),
    by_words("one-time-code", "One-time codes behind words that say so", "code",
             r"(?i)(?<=mfa |otp |2fa |ion |ity |gin |ime )code(?:\s(?:is|was))?[:=]?\s{0,2}[\"']?(?P<hide>\d{3}[ \-]\d{3,5}|\d{5,8})(?![\w.])"),
    by_words("one-time-code", "`passcode 123456`", "passcode", r"(?i)passcode(?:\s(?:is|was))?[:=]?\s{0,2}[\"']?(?P<hide>\d{4,8})(?![\w.])"),

    # What databases quote: the parameters of a statement, the values of a row or key.
    Rule("sql-values", "SQLAlchemy's parameters of a statement", ("[parameters: ",), r"(?i)\[parameters: ", until(PARAMETERS_END)),
    Rule("sql-values", "PostgreSQL's `Failing row contains`", ("failing row contains",), r"(?i)failing row contains \(", until(ROW_END)),
    Rule("sql-values", "PostgreSQL's `Key (…)=(…)`", ("key (",), r"(?i)key \([^=\n]{1,300}\)=\(", until(ROW_END)),
    by_words("sql-values", "MySQL's `Duplicate entry`", "duplicate", r"(?i)duplicate entry '(?P<hide>(?:[^'\n]|'(?! for key)){1,})"),
    Rule("sql-values", "`VALUES (…)` where it holds quoted text", ("values",),
         r"(?i)(?<![a-z])values\s{0,4}\((?P<hide>(?:[^()'\n]{1,200}|'(?:[^'\n]|'')*+(?:'|(?=\n)|$)|\([^()'\n]{0,60}\)){1,400}+)", quoted_values),

    # Personal data that shows by its form, or by the words before it.
    Rule("email", "E-mail addresses; `lodash@4.17.21` is a version and `git@` no person", ("@", "%40", "%2540", "\\u0040"),
         r"(?i)(?:@|%(?:25){0,3}40|\\u0040)(?!\d{1,5}\.\d)(?:[^\W_]|-){1,63}(?:\.(?:[^\W_]|-){1,63}){0,8}\.[^\W\d_]{2,24}", email),
    Rule("card", "Payment cards whose check digit is right", (),
         rf"{EDGE}(?<![\d.])(?<!\d-)(?<!_-)(?<!_)(?:[3-6]\d{{12,18}}|[3-6]\d{{3}}([ \-])\d{{4}}\1\d{{4}}\1\d{{1,7}}|"
         r"3[47]\d\d[ \-]\d{6}[ \-]\d{5}|2[2-7]\d\d([ \-]?)\d{4}\2\d{4}\2\d{4})(?![\dA-Za-z]|[.\-]\d)", card, numeric=True),
    Rule("iban", "IBANs whose check digits are right", (),
         r"(?<![A-Za-z0-9])[A-Z]{2}\d{2}(?:[A-Z0-9]{11,30}|(?: [A-Z0-9]{4}){2,7}(?: [A-Z0-9]{1,3})?)(?![A-Za-z0-9])", bank_account, numeric=True),
    Rule("ssn", "US social security numbers with dashes", (), r"(?<![\d\-])(?!000|666|9\d\d)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\d\-])", numeric=True),
    by_words("ssn", "The same with blanks or nothing between, behind `ssn` or `social security`", "ssn social",
             r"(?i)(?:ssn|social security(?: number)?)[^\w\n]{0,4}(?:is |was )?(?P<hide>\d{3}[ .\-]?\d{2}[ .\-]?\d{4})(?!\d)"),
    Rule("medicare", "US Medicare beneficiary identifiers with dashes", (),
         r"(?<![\w\-])[1-9][AC-HJKMNP-RT-Y][0-9AC-HJKMNP-RT-Y]\d-[AC-HJKMNP-RT-Y][0-9AC-HJKMNP-RT-Y]\d-[AC-HJKMNP-RT-Y]{2}\d\d(?![\w\-])", numeric=True),
    Rule("phone", "Phone numbers: international with `+`, and as they are written in the US", (),
         r"(?<![\w.+\-])(?:\+(?=[1-9](?:[ .\-()]{0,2}\d){7,14}(?!\d))\d{1,3}[ .\-]?(?:\(\d{1,4}\)[ .\-]?)?\d{1,4}"
         r"(?:[ .\-]?\d{2,4}){1,4}|(?:1[ .\-])?\(\d{3}\)[ .\-]?\d{3}[ .\-]\d{4}|(?:1[.\-])?\d{3}-\d{3}-\d{4}|"
         r"\d{3}\.\d{3}\.\d{4})(?![\w\-]|\.\d)", numeric=True),
    Rule("personal", "A date behind `date of birth`, `dob`, `born`", ("date of birth", "birth date", "birthdate", "dob", "born"),
         r"(?i)(?:date of birth|birth ?date|dob|born(?: on)?)\W{0,3}(?:is |was |of )?(?P<hide>\d{1,4}[\-/.]\d{1,2}[\-/.]\d{1,4})(?!\d)"),
    by_words("sensitive", "Numbers behind `MRN`, `NPI`, `DEA number`, `passport`, `member id`", "mrn npi dea passport member",
             r"(?i)(?<![a-z])(?:mrn|npi|dea|passport|member)(?:\s(?:number|no\.?|id))?\s#?(?P<hide>[A-Z]{0,3}\d{6,12})(?!\w)"),
    by_words("phone", "Any number behind `tel`, `phone`, `mobile`, `fax`", "tel phone mobile fax",
             r"(?i)(?<![a-z])(?:tel|phone|telephone|mobile|fax)(?:\s(?:number|no\.?))?[.:]?\s{1,2}(?P<hide>[+(]?\d[\d ()/.\-]{6,16}\d)(?![\w.])"),
    by_words("personal", "Two capitalised words behind `patient`", "patient",
             r"(?i:patient)\s{1,2}(?P<hide>[A-Z][a-z'’\-]{1,30}\s(?:[A-Z]\.?\s)?(?!(?:Service|Portal|Record|Data|Api|Error|Id|Not|Was|Is)\b)[A-Z][A-Za-z'’\-]{1,30})"),
    Rule("personal", "Street addresses as they are written in the US", (),
         r"(?<![\w.:/\-])\d{1,5}\s(?:[NSEW]\.?\s)?(?:[A-Z][a-z]{1,20}\s){1,3}(?:Street|St|Avenue|Ave|Road|Rd|Boulevard|Blvd|Lane|Ln|Drive|Dr|Court|Ct|"
         r"Way|Terrace|Place|Pl|Parkway|Pkwy|Circle|Cir)\b", numeric=True),
    Rule("ip-address", "Public IPv4 addresses; private, loopback and reserved ones are infrastructure and stay", (),
         r"(?<![\w./\-])(?<!==)(?<!ersion )(?<!ersion=)(?<!ersion: )(?:\d{1,3}\.){3}\d{1,3}(?![\w\-]|\.\d)", public_address, numeric=True),
    Rule("ip-address", "Public IPv6 addresses", (),
         r"(?<![\w:.])[23][0-9a-fA-F]{3}:(?:[0-9a-fA-F]{1,4}:){6}[0-9a-fA-F]{1,4}(?![\w:])|"
         r"(?<![\w:.])[23][0-9a-fA-F]{3}(?::[0-9a-fA-F]{1,4}){0,5}::(?:[0-9a-fA-F]{1,4}:){0,5}(?:[0-9a-fA-F]{1,4})?(?![\w:])",
         public_address, numeric=True),

    # By shape and by structure.
    Rule("provider-token", "Credentials of the providers in the generated list", _PROVIDERS_BEGIN, "", search=provider_forms),
    Rule("credential", "Values of keys that say by any of their words that they are a secret; of keys that end in `key`, and of "
         "providers' names, those that hold a digit; hex of 32 digits and more behind a key that names no id",
         ("stripe_key", "signature", "nonce", "twilio", "0123456789abcdef0123456789abcdef"), "", search=named_secrets),
    Rule("credential", "A value with a digit right behind `token`, `key`, `secret` and the like in a sentence",
         ("token ", "api key ", "credentials "), "", search=told_in_prose),
    Rule("random", "Strings that look random and have the shape of no known id", ("q7zp2mkx9rt4wls8", "a1/"), "", search=random_looking),
    *(
        Rule("quoted", quotation.what, quotation.needles, quotation.expression, search=quoted(number), gated=True)
        for number, quotation in enumerate(QUOTATIONS)
    ),
    Rule("record", "Values that a program printed whole, such as dataclasses, models, structs and rows: what is between their brackets", ("patient(id=12, name=", "{name:"), "", search=records),
    Rule("personal", "Values of keys that name something about a person: names, addresses, documents, health",
         ("doctor", "zip", "note", "location"), "", search=named_personal),
    Rule("personal", "Numbers behind the words for a person's document or account, in several languages",
         ("passport ", "n.p.i ", "plate 34 abc "), "", search=numbers_of_persons, numeric=True),
)  # fmt: skip
"""In order of precedence for the name; every rule is always applied."""
