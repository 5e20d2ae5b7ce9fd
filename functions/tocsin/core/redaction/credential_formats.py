r"""Credentials that show by their form, wherever they stand: the part of the table of rules that providers fill.

The forms follow gitleaks' rules (github.com/gitleaks/gitleaks, ``config/gitleaks.toml``, MIT), widened where hiding too
much costs nothing. A word's edge is asked for only where the prefix is too short to be telling by itself.
"""

from __future__ import annotations

from typing import Final

from tocsin.core.redaction.finders import KEY_END, private_key, private_key_tail, rest, with_what_precedes
from tocsin.core.redaction.rule import BASE64URL, EDGE, Rule, by_words

_PATH: Final = r"""[^\s"'<>`|]+"""

PRIVATE_KEYS: Final[tuple[Rule, ...]] = (
    Rule("private-key", "Private keys (PEM, OpenSSH, PGP), with real line breaks or escaped ones, also one cut off at its end",
         ("begin ",), r"(?i)BEGIN (?:[A-Z0-9]{1,12} ){0,4}PRIVATE KEY(?: BLOCK)?", private_key),
    Rule("private-key", "The last part of a private key whose beginning is missing",
         ("-end ", "- end "), KEY_END.pattern, private_key_tail),
    Rule("private-key", "PuTTY's private key files", ("private-lines:",), r"(?i)private-lines:", rest),
    by_words("private-key", "age's secret keys", "age-secret-key-", r"(?i)AGE-SECRET-KEY-[A-Z0-9]{20,}"),
)  # fmt: skip

FORMS: Final[tuple[Rule, ...]] = (
    by_words("aws-key", "AWS access key ids, and a secret key that follows one within 80 characters", "akia asia abia acca",
             r"(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{12,}"
             r"(?:[^\n]{0,80}?(?<![A-Za-z0-9/+=])[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+=]))?"),
    by_words("aws-session-token", "AWS session tokens", "fwog fqog iqoj", r"(?:FwoG|FQoG|IQoJ)[A-Za-z0-9/+=%_\-]{40,}"),
    by_words("aws-bedrock-key", "Amazon Bedrock API keys", "absk bedrock-api-key-",
             r"(?:ABSK|bedrock-api-key-)[A-Za-z0-9+/=%]{30,}"),
    by_words("slack-webhook", "Slack incoming webhooks", "hooks.slack",
             rf"(?i)hooks\.slack(?:-gov)?\.com(?::\d{{1,5}})?(?P<hide>(?:\\{{0,8}}/|%(?:25){{0,3}}2F){_PATH})"),
    by_words("slack-token", "Slack tokens", "xox xapp-", r"(?:xox[a-zA-Z]|xapp)(?:\.xox[a-z])?-[A-Za-z0-9\-]{6,}"),
    by_words("webhook", "Webhooks of Discord, Microsoft Teams, Zapier, Amazon Chime",
             "/api/webhooks/ .office.com/webhook hooks.zapier.com/ hooks.chime.aws/",
             rf"(?i)(?:/api/webhooks/|\.office\.com/webhook|hooks\.zapier\.com/|hooks\.chime\.aws/){_PATH}"),
    by_words("github-token", "GitHub tokens", "ghp_ gho_ ghu_ ghs_ ghr_ github_pat_", r"(?:gh[pousr]_|github_pat_)\w{16,}"),
    by_words("gitlab-token", "GitLab tokens",
             "glpat- glptt- gldt- glrt- glcbt- glft- glimt- glagent- glsoat- glffct- gloas-",
             r"gl(?:pat|ptt|dt|rt|cbt|ft|imt|agent|soat|ffct|oas)-[A-Za-z0-9_\-.]{10,}"),
    by_words("stripe-key", "Stripe keys and webhook secrets; Clerk's have the same form", "sk_ rk_ pk_ whsec_",
             r"(?:[srp]k_(?:live|test|prod)_|whsec_)[A-Za-z0-9+/=]{8,}"),
    by_words("anthropic-key", "Anthropic keys", "sk-ant-", rf"sk-ant-{BASE64URL}{{10,}}"),
    by_words("openai-key", "OpenAI keys, and the services that took over their form", "sk-",
             rf"sk-(?:proj|svcacct|admin|service|or)-{BASE64URL}{{16,}}|{EDGE}sk-[A-Za-z0-9]{{20,}}"),
    by_words("model-key", "Keys of Groq, xAI, Perplexity, Replicate, NVIDIA", "gsk_ xai- pplx- r8_ nvapi-",
             rf"{EDGE}(?:gsk_|xai-|pplx-|r8_|nvapi-){BASE64URL}{{30,}}"),
    by_words("google-key", "Google API keys, OAuth secrets, access and refresh tokens", "aiza gocspx- ya29. 1//0",
             rf"AIza{BASE64URL}{{30,}}|GOCSPX-{BASE64URL}{{16,}}|ya29\.[A-Za-z0-9_\-.]{{16,}}|{EDGE}1//0{BASE64URL}{{20,}}"),
    by_words("sendgrid-key", "SendGrid keys", "sg.", rf"SG\.{BASE64URL}{{16,}}(?:\.{BASE64URL}*)?"),
    by_words("twilio-key", "Twilio API keys", "sk", r"SK[0-9a-f]{32}"),
    by_words("mail-key", "Keys of Mailgun and Brevo", "key- xkeysib- xsmtpsib-", r"key-[0-9a-f]{32}|x(?:key|smtp)sib-[0-9a-f]{40,}[A-Za-z0-9\-]*"),
    Rule("mail-key", "Mailchimp keys", ("-us",), r"-us\d{1,2}(?![\w\-])", with_what_precedes(r"[0-9a-f]", 32, least=32)),
    by_words("npm-token", "npm tokens", "npm_", r"npm_[A-Za-z0-9]{30,}"),
    by_words("pypi-token", "PyPI tokens", "pypi-", rf"pypi-{BASE64URL}{{40,}}"),
    by_words("package-token", "Tokens of RubyGems, Docker Hub, Artifactory, crates.io", "rubygems_ dckr_pat_ dckr_oat_ akcp cio",
             rf"rubygems_[0-9a-f]{{30,}}|dckr_[po]at_{BASE64URL}{{20,}}|{EDGE}(?:AKCp|cio)[A-Za-z0-9]{{32,}}"),
    Rule("azure-secret", "Microsoft Entra client secrets", ("q~",), r"Q~[A-Za-z0-9_~.\-]{31,}",
         with_what_precedes(r"[A-Za-z0-9_~.]", 4)),
    by_words("digitalocean-token", "DigitalOcean tokens", "dop_v1_ doo_v1_ dor_v1_", r"do[por]_v1_[0-9a-f]{32,}"),
    by_words("cloud-key", "Access keys of Alibaba Cloud and Tencent Cloud", "ltai akid",
             rf"{EDGE}(?:LTAI(?=[A-Za-z]{{0,20}}\d)[A-Za-z0-9]{{12,26}}|AKID[A-Za-z0-9]{{32}})(?![A-Za-z0-9])"),
    by_words("huggingface-token", "Hugging Face tokens", "hf_ api_org_", r"(?:hf_|api_org_)[A-Za-z0-9]{20,}"),
    by_words("databricks-token", "Databricks tokens", "dapi", r"dapi[0-9a-f]{32}(?:-\d)?"),
    by_words("database-token", "Tokens of PlanetScale and Supabase", "pscale_ sbp_ sb_secret_",
             rf"pscale_[a-z]{{2,8}}_[A-Za-z0-9_.\-]{{20,}}|sbp_[0-9a-f]{{40,}}|sb_secret_{BASE64URL}{{20,}}"),
    by_words("shopify-token", "Shopify tokens", "shpat_ shpca_ shppa_ shpss_", r"shp(?:at|ca|pa|ss)_[0-9a-fA-F]{16,}"),
    by_words("square-token", "Square tokens", "sq0 eaaa", rf"sq0[a-z]{{3}}-{BASE64URL}{{20,}}|EAAA{BASE64URL}{{50,}}"),
    by_words("facebook-token", "Facebook access tokens", "eaa", rf"{EDGE}EAA[A-Z][A-Za-z0-9]{{80,}}"),
    by_words("atlassian-token", "Atlassian and Bitbucket tokens", "atatt3 atctt3 atbb",
             rf"AT[AC]TT3[A-Za-z0-9_\-=]{{50,}}|{EDGE}ATBB[A-Za-z0-9]{{28,}}"),
    by_words("vault-token", "HashiCorp Vault tokens", "hvs. hvb. hvr.", rf"hv[sbr]\.{BASE64URL}{{20,}}"),
    Rule("vault-token", "Terraform Cloud tokens", (".atlasv1.",), rf"(?i)\.atlasv1\.{BASE64URL}{{20,}}",
         with_what_precedes(r"[A-Za-z0-9]", 14)),
    by_words("monitoring-key", "Keys of New Relic, Grafana, Sentry, Dynatrace, PostHog", "nrak- nrii- glsa_ glc_ sntry dt0c01. phx_",
             rf"NR(?:AK|II)-{BASE64URL}{{20,}}|gl(?:sa|c)_[A-Za-z0-9_+/=]{{20,}}|sntry[su]_[A-Za-z0-9_+/=]{{30,}}|"
             rf"dt0c01\.[A-Z0-9]{{20,}}\.[A-Z0-9]{{40,}}|{EDGE}phx_[A-Za-z0-9]{{30,}}"),
    by_words("service-key", "Keys of Postman, Linear, Doppler, Notion, Figma, Tailscale, 1Password, Contentful, CircleCI, Dropbox",
             "pmak- lin_api_ lin_oauth_ dp.pt. dp.st. secret_ ntn_ figd_ tskey- ops_eyj cfpat- ccipat_ sl.",
             rf"PMAK-[A-Za-z0-9\-]{{20,}}|lin_(?:api|oauth)_[A-Za-z0-9]{{20,}}|dp\.[ps]t\.[A-Za-z0-9.]{{20,}}|{EDGE}secret_[A-Za-z0-9]{{40,}}|"
             rf"{EDGE}ntn_[A-Za-z0-9]{{40,}}|figd_{BASE64URL}{{30,}}|tskey-[a-z]{{3,12}}-[A-Za-z0-9\-]{{16,}}|ops_eyJ[A-Za-z0-9+/=_\-]{{40,}}|"
             rf"CFPAT-{BASE64URL}{{30,}}|CCIPAT_[A-Za-z0-9_]{{30,}}|{EDGE}sl\.{BASE64URL}{{100,}}"),
    Rule("service-key", "Okta's API tokens, behind their scheme", ("ssws ",), rf"(?i)SSWS\s{{1,4}}(?P<hide>{BASE64URL}{{20,}})"),
    Rule("telegram-token", "Telegram bot tokens", (":aa",), rf":AA{BASE64URL}{{32,}}", with_what_precedes(r"\d", 12)),
    by_words("jwt", "JSON web tokens, and any base64 of a JSON object", "eyj",
             # With a digit early on, so that the name KeyJsonSomething is none.
             r"eyJ(?=[A-Za-z_\-+/=%]{0,80}\d|[A-Za-z0-9_\-]{8,400}\.ey)[A-Za-z0-9_\-+/=%]{12,}(?:\.[A-Za-z0-9_\-+/=%]*){0,4}"),
)  # fmt: skip
"""By provider."""
