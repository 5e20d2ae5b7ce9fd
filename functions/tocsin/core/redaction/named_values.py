"""Values whose name says what they are, by the words of the name: ``STRIPE_KEY=…``, ``doctor: …``, ``voter id KSD…``.

The older rules look for the few words that occur most, each by itself. Here every key of a text is taken apart into its words
once, and looked up: so hundreds of names cost no more than one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import Final

import re2

from tocsin.core.expressions import re2_options
from tocsin.core.lazy_expressions import lazy
from tocsin.core.redaction.key_values import SEPARATOR, Span, phrase, value
from tocsin.core.redaction.provider_rules import NAMES
from tocsin.core.redaction.shapes import looks_random

_KEY: Final = lazy(
    rf"(?:(?<![\w.\-\\])|(?<=\\[nrt]))(?<!REDACTED:)(?P<key>[^\W\d_][\w.\-]{{0,63}}+(?:(?<=['’])|)){SEPARATOR}"
)
_WORD: Final = lazy(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[A-Z]+|[^\W\d_]+")


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


SECRETS: Final = _names(
    "authorisation authorization mnemonic seedphrase recoveryphrase recoverycode recoverycodes backupcode backupcodes snmpcommunity "
    "jaasconfig otpattempt passkey bindpw bindpass rootpw userpw adminpw ldappw signature webhooksignature hubsignature kubeconfig "
    "dockerconfigjson dockercfg htpasswd keytab pepper psk presharedkey puk cvn csc cav pincode artapi webhook webhookurl hookurl "
    "magiclink resetlink invitelink resetcode invitecode authcode authorizationcode verificationcode smscode onetimecode "
    "onetimepassword sessioncookie sessid sessionid cookie cookies setcookie nonce clientassertion samlresponse assertion "
    "sharedaccesssignature sas securestring encryptedpassword cipherkey keymaterial seed privatepem pem pfx p12 jks kek dek "
    "secretstring secretbinary plaintext wskey pubkeypin rpcsecret challenge pkceverifier codeverifier deviceid2 "
    "kennwort passwort contrasena contraseña clave motdepasse mdp senha segredo wachtwoord haslo hasło salasana lösenord parola "
    "schluessel schlüssel geheimnis"
)
"""Names, written together, whose values are secrets whatever they look like."""

_ALSO_WORDS: Final = _names(
    "signature seed challenge nonce clave webhook cookie cookies assertion sas kek dek jks pem pfx"
)
"""Of these, names whose values are as often a name: only what looks like a secret counts."""

_INNOCENT_KEYS: Final = _names(
    "primary foreign partition sort cache object s s3 public idempotency dedup deduplication group message record row hash range lock "
    "redis bucket dict map unique composite index natural business surrogate join item translation config setting param parameter "
    "feature flag metric tag label resource shard missing invalid unknown duplicate unexpected bad hot arrow enter shift kms "
    "cmk secondary global local lookup session registry property field attribute column routing binding context state "
    "query get set put header path file prefix version type name class data search sorting kafka event log queue any no the this"
)
"""What before ``key`` makes it the name of something that is found by it, not of what opens a door."""

PERSONAL: Final = _names(
    # People.
    "nickname legalname displayname preferredname alias2 birthname lastname firstname middlename surname forename familyname "
    "givenname fullname maidenname personname customername membername guestname beneficiary beneficiaryname accountholder "
    "cardholder cardholdername nameoncard recipientname sendername contactname nextofkin guardian guardianname spouse spousename "
    "mothername mothersmaidenname fathername caregiver doctor doctorname physician physicianname referringphysician "
    "referringphysicianname attendingphysician nurse nursename practitioner practitionername patient patientname subscribername "
    "insuredname policyholder employeename studentname candidate applicant applicantname tenantname who "
    # Where and when.
    "street streetaddress streetname addressline address1 address2 addressline1 addressline2 homeaddress mailingaddress "
    "billingaddress shippingaddress postaladdress zip zipcode postal postalcode postcode plz city town county district suburb "
    "geolocation coordinates latlng latlon lat lng lon latitude longitude gps birthday birthdate dateofbirth dob born bornon birthplace placeofbirth "
    "birthcity yearofbirth birthyear deathdate dateofdeath deceaseddate admissiondate dischargedate admittedat dischargedat "
    "dateofservice servicedate appointmentdate visitdate "
    # How to reach them.
    "phone phonenumber telephone telephonenumber tel mobile mobilenumber mobilephone cell cellphone cellnumber contactnumber homephone workphone "
    "fax faxnumber msisdn whatsapp skype email mail emailaddress "
    # What is known of them.
    "gender sex race ethnicity religion nationality citizenship maritalstatus occupation employer salary income "
    "allergy allergies medication medications currentmedications prescription prescriptions drug drugname dosage symptom symptoms "
    "diagnosis diagnoses diag icd icd10 icdcode treatment treatmentplan medicalhistory familyhistory condition2 conditions2 comorbidities "
    "immunization immunizations vaccine vaccination labresult labresults testresult testresults bloodtype bloodgroup vitals bmi "
    "bloodpressure disability chiefcomplaint complaint clinicalnote clinicalnotes note notes notetext progressnote physiciannote "
    "dischargesummary reasonforvisit healthplan "
    # The numbers they go by.
    "visitid visitnumber encounterid encounternumber chart chartid chartnumber recordnumber medicalrecord medicalrecordnumber mrn "
    "patientid patientnumber memberid membernumber subscriberid subscribernumber beneficiaryid healthplanid policyid policynumber "
    "insuranceid insurancenumber claimid claimnumber employeeid employeenumber badge badgenumber studentid license licensenumber "
    "licence licencenumber driverlicense driverslicense driverslic driverlicensenumber driverslicensenumber drivinglicence passport passportno "
    "passportnumber passportid traveldocument documentnumber iddocument idnumber idcard nationalid nationalidentifier personalid personalnumber personnummer "
    "taxid taxnumber taxpayerid tin itin ein vat vatnumber ssn socialsecurity socialsecuritynumber sin nino nationalinsurance "
    "insee nir cpf cnpj curp rfc dni nie nif pesel bsn aadhaar aadhar pan pannumber abn acn tfn nhs nhsnumber medicare "
    "medicarenumber medicareid mbi medicaid hic hicno hicn hicnumber healthinsuranceclaimnumber healthcarenumber healthcardnumber phn "
    "ndc nationaldrugcode npi npinumber nationalprovideridentifier dea deanumber voter voterid epic nric fin "
    "vin vehicleid licenseplate licenceplate numberplate plate plateno platenumber registrationnumber "
    "imei imsi iccid serialnumber deviceserial account2 accountno accountnumber bankaccount bankaccountnumber iban sortcode routingnumber bic "
    "cardno cardnumber creditcard creditcardnumber debitcard ccnumber ccnum pan2 cvv cvv2 cvc expiry2 cardexpiry"
)
"""Names, written together, of what is known about a person."""

_ID_WORDS: Final = _names(
    "id ids uuid guid etag digest checksum sha sha1 sha256 sha512 md5 hash integrity fingerprint trace span request commit rev "
    "revision version image layer build container node host ref reference sha object oid blob tree parent stream shard cursor "
    "marker handle receipt correlation transaction txn tx block address addr pointer ptr at frame buildid crc crc32 content "
    "instance pod label name file path url uri tag release arn digests hashes signature2 thumbprint"
)
"""Last words of names whose value is an id, though it be of 32 hex digits."""

_HEX: Final = lazy(r"(?i)[0-9a-f]{32,128}")
_UUID: Final = lazy(r"(?i)[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_COORDINATES: Final = lazy(r"-?\d{1,3}\.\d{3,}\s?(?:,|%2C)\s?-?\d{1,3}\.\d{3,}")
_SHORTEST_SECRET: Final = 8
_MAX_SECRET_LENGTH: Final = 400
_MIN_DISTINCT: Final = 5


class _Budget:
    """How much of a text may be read again because values overlap; see ``redact.MAX_OVERLAP``."""

    def __init__(self, text: str) -> None:
        self._left, self._read_to = _MAX_OVERLAP * len(text), 0

    def spend(self, span: Span) -> bool:
        """Count a value as read; False when too much has been."""
        self._left -= max(0, min(span[1], self._read_to) - span[0])
        self._read_to = max(self._read_to, span[1])
        return self._left >= 0


_MAX_OVERLAP: Final = 8


def named_secrets(text: str) -> Iterator[Span]:
    """Values of keys that name a secret, a key of any service, or a provider."""
    budget = _Budget(text)
    for found in _KEY.finditer(text):
        words = _words(found["key"])
        judge = _judge_of(words) if words else None
        if judge is None or (judge is _is_hex and not _may_be_hex(text, found)):
            continue
        span = value(text, found)
        if span is None:
            continue
        if not budget.spend(span):
            yield span[0], len(text)
            return
        if judge(text[span[0] : span[1]].rstrip("\"'\\,;)]}")):
            yield span


def _judge_of(words: list[str]) -> Callable[[str], bool] | None:
    """What decides on the value of a key, by the key's words; None where no value of it is hidden."""
    last = words[-1]
    if any(tail in SECRETS for tail in _tails(words)):
        return is_secretive if last in _ALSO_WORDS else _says_something
    if last in {"key", "keys"} and (len(words) == 1 or words[-2] in _INNOCENT_KEYS):
        return looks_random
    if last.endswith("key") or last == "keys" or not _PROVIDERS.isdisjoint(words):
        return is_secretive
    return None if last in _ID_WORDS else _is_hex


def _is_hex(held: str) -> bool:
    return bool(_HEX.fullmatch(held))


def _may_be_hex(text: str, found: re.Match[str]) -> bool:
    """Whether a value begins like long hex: that is cheap to see, and most values end here. What follows ``:`` is an ARN's."""
    end = found.end()
    return (
        bool(_HEX.match(text, end + (text[end : end + 1] in {'"', "'"})))
        and text[found.start() - 1 : found.start()] != ":"
    )


_NOTHING: Final = lazy(
    r"(?i)(?:\d{1,9}|[a-z]{1,7}|true|false|none|invalid|missing|expired|required|[\w.]{0,40}(?:error|exception))?[:;,.]?"
)


def _says_something(held: str) -> bool:
    return not _NOTHING.fullmatch(held)


def is_secretive(held: str) -> bool:
    """Whether a value behind a telling name is a secret rather than a word, a path or a number."""
    if (
        not _SHORTEST_SECRET <= len(held) <= _MAX_SECRET_LENGTH
        or "/" in held[:2]
        or "://" in held
        or " " in held
    ):
        return False
    if len(set(held)) < _MIN_DISTINCT or _PATH.search(held):
        return False
    digits = sum(map(str.isdigit, held))
    letters = sum(map(str.isalpha, held))
    return (digits > 0 and letters > 0 and not _VERSION.fullmatch(held)) or (
        letters >= _LONG_VALUE and not held.islower() and looks_random(held)
    )


_PATH: Final = lazy(r"(?:^|/)[a-z]{4,30}/|/[a-z]{4,30}(?:$|[./])")
_VERSION: Final = lazy(r"v?\d+(?:\.\w+){1,3}|\d{4}-\d\d-\d\d[T ].*|[\w\-]+\.[a-z]{2,5}")


def named_personal(text: str) -> Iterator[Span]:
    """Values of keys that name something about a person."""
    budget = _Budget(text)
    for found in _KEY.finditer(text):
        words = _words(found["key"])
        tails = [tail for tail in _tails(words) if tail in PERSONAL]
        if tails and (tails[-1] not in _WORDS_OF_PROSE or _is_field(text, found)):
            numbered = words[-1] in _NUMBERED and text[found.end() : found.end() + 1].isalpha()
            span = (value if numbered else phrase)(text, found)
        elif (
            words
            and words[-1] == "location"
            and _COORDINATES.match(text, found.end() + (text[found.end() : found.end() + 1] in {'"', "'"}))
        ):
            span = value(text, found)
        else:
            continue
        if span and not budget.spend(span):
            yield span[0], len(text)
            return
        if span and not _OF_CODE.fullmatch(text, *span):
            yield span


_NUMBERED: Final = _names("number no id badge license licence plate code")
"""Names whose values have no blanks in them, where they begin with a letter."""

_WORDS_OF_PROSE: Final = _names(
    "note notes complaint who names chart mail cell city town county district suburb mobile condition drug race fin sin pan epic "
    "born badge license licence plate vin tin ein nie rfc dni rrn abn acn treatment complaint employer gender sex applicant "
    "candidate guardian patient doctor nurse vaccine allergy symptom street zip expiry2 tel fax dosage religion"
)
"""Names that in a sentence are only words: they count where they are visibly a key."""


def _is_field(text: str, found: re.Match[str]) -> bool:
    """Whether a key is one of a structure: quoted, before ``=``, or first in its line."""
    start = found.start("key")
    line = text.rfind("\n", 0, start) + 1
    return (
        bool(found["close"])
        or found["separator"] in {"=", "=>", ":="}
        or (line > 0 and not text[line:start].strip(" -"))
    )


_OF_CODE: Final = lazy(
    r"(?i)(?:\$\d{1,3}|\?|%s|%\(\w{1,40}\)s|:\w{1,40}|@p\d{1,3}|0x[0-9a-f]+|[\W_]*|<class .{0,60}|[\w.]{0,60}(?:error|exception)|true|false|none|null|str|string|int|field required|\d)[:;,.]?"
)


def _words(name: str) -> list[str]:
    return [word.lower() for word in _WORD.findall(name)]


def _tails(words: list[str]) -> Iterator[str]:
    """The last word, the last two, … of a name, written together; as many as the longest known name has."""
    tail = ""
    for word in words[: -_MAX_WORDS - 1 : -1]:
        tail = word + tail
        yield tail


_MAX_WORDS: Final = 4

_PROVIDERS: Final = frozenset(NAMES.split())

_CONTEXT: Final = (
    # Words before the number of a person's document or account, in the languages of the formats.
    r"passport|passeport|reisepass(?:nummer)?|pasaporte|passaporto|travel document|dokumentennummer|bundesrepublik deutschland|"
    r"personalausweis(?:nummer)?|ausweisnummer|identity card|id card|carte d'identit[eé]|tarjeta|national id(?:entity|entification)?|"
    r"national insurance|nino|social insurance|social security|ssns?|sin|nhs|aadhaa?r|uidai|pan|voter(?: id)?|epic|elector(?:al)?(?: photo)?(?: identity)?(?: card)?|"
    r"tax(?:payer)?(?: file)?(?: id(?:entification)?)?|tfn|abn|acn|steuer\W?(?:id|nummer)|steuerliche identifikation(?:snummer)?|steueridentifikationsnummer|"
    r"codice fiscale|partita iva|nif|nie|dni|cpf|cnpj|curp|rfc|pesel|nip|regon|bsn|personnummer|cpr|hetu|henkil[oö]tunnus|fiscal code|insee|"
    r"itin|ein|tin|medicare|medicaid|mbi|hic(?:n| no\.?)?|health insurance(?: claim)?|health ?care|health card|beneficiary|n\.?p\.?i\.?|national provider(?: identifier)?|"
    r"dea|d\.e\.a\.|ndc|national drug(?: code)?|mrn|medical record|chart|patient(?: id)?|member(?: id)?|subscriber(?: id)?|policy|"
    r"driver'?s?’?s? ?lic(?:en[sc]e)?|driving licen[cs]e|permis de conduire|f[uü]hrerschein|patente|licen[cs]e plate|number plate|plate|tr plaka|plaka|kennzeichen|"
    r"vehicle(?: identification)?|vin|imei|imsi|bank account|account#|acct|konto(?:nummer)?|routing|aba|sort code|swift|iban|"
    r"credit card|debit card|card|karte|carte|born(?: on)?|dob|date of birth|birth ?(?:date|day)|geburtsdatum|geboren|"
    r"mobile|phone|tel(?:efon|ephone)?|handy|cell|fax|whatsapp|zip(?: code)?|postal(?: code)?|postcode|postleitzahl|plz|"
    r"nric|fin|uen|korean|rrn|jumin|foreigner registration|alien registration|residence permit|work permit|visa number|social number"
)


@cache
def _context() -> re2._Regexp:
    options = re2_options()
    options.case_sensitive = False
    return re2.compile(
        rf"(?:^|[^\pL\d_])(?:{_CONTEXT})(?:[ _\-]?(?:numbers?|num|no|nr|id|identifier|code|card|#))?[.#:=]?"
        r"(?:[ _](?:is|was|of|for|mismatch: got))?[\s:#\"'=]{1,3}((?-i:"
        r"[A-Z]{0,6}[\- ]?\d[\dA-Za-z]{0,20}|[A-Za-z]{1,6}\d[\dA-Za-z]{2,20}|[A-Z0-9]{5,24}|[A-Z]{1,3}(?:[ \-][A-Z]{1,2})? \d{1,5}))"
        r"((?-i:[ .\-/](?:\d[\dA-Za-z]{0,8}|[A-Z]{1,4}|[A-Z]{1,4}\d{1,6})\b){0,6})",
        options,
    )


_MIN_DIGITS: Final = 4
_MAX_FINDS: Final = 200


def numbers_of_persons(text: str) -> Iterator[Span]:
    """Numbers behind the words that announce a person's document, account or birth."""
    for count, found in enumerate(_context().finditer(text)):
        start, end = found.start(1), found.end(2)
        if count == _MAX_FINDS:
            yield start, len(text)
            return
        if sum(map(str.isdigit, text[start:end])) >= _MIN_DIGITS:
            yield start, end


_TELLS: Final = (
    r"(?:api|access|secret|auth|private|signing|license|licence|encryption|session|invalid|for|the|with|using|bad|wrong)?[ _\-]?"
    r"(?:api ?key|key|token|secret|credentials?|signature|passcode|passphrase|password|cookie|nonce|session|code|bearer)"
)


@cache
def _prose() -> re2._Regexp:
    options = re2_options()
    options.case_sensitive = False
    return re2.compile(
        rf"(?:^|[^A-Za-z0-9_])({_TELLS})[\"']?(?:\s(?:is|was|from|of|with|value|to|set to|changed to))?"
        r"(?:\s?[:=\-]\s?|\s)[\"'`(]{0,2}([^\s\"'`(),;<>{}\[\]]{10,})",
        options,
    )


def told_in_prose(text: str) -> Iterator[Span]:
    """A value with a digit and a letter, or one that looks random, right behind a word for a credential."""
    for count, found in enumerate(_prose().finditer(text)):
        start = found.start(2)
        if count == _MAX_FINDS:
            yield start, len(text)
            return
        held = found[2].rstrip(".:,…")
        if _telling_in_prose(found[1].lower(), held):
            yield start, start + len(held)


def _telling_in_prose(word: str, held: str) -> bool:
    if looks_random(held):
        return True
    if "/" in held or "://" in held or word.endswith(("session", "code")):
        return False
    if word.endswith("key"):
        return bool(_HEX.fullmatch(held))
    if word.endswith(("credential", "credentials")):
        return ":" in held and any(map(str.isdigit, held))
    return bool(_HEX.fullmatch(held) or _UUID.fullmatch(held)) or (
        len(held) >= _LONG_VALUE and is_secretive(held)
    )


_LONG_VALUE: Final = 16
