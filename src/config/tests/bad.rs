//! Every refusal: the message names the key, what was expected, and the way out.

use super::{SOUND, problems};

/// Replaces one line of the sound configuration, or adds to its end; the key, and words that the problem must have.
struct Case(&'static str, &'static str, &'static str, &'static [&'static str]);

const END: &str = "";

const SHAPES: &[Case] = &[
    Case(
        END,
        "[ingress]\nmax_body = 5",
        "ingress.max_body",
        &["size with its unit", "1 KiB to 64 MiB", "number 5", "max_body = \"1 MiB\""],
    ),
    Case(END, "[ingress]\nmax_body = \"65 MiB\"", "ingress.max_body", &["more than 64 MiB"]),
    Case(END, "[ingress]\nmax_body = \"1 mib\"", "ingress.max_body", &["unit is none of B, KB, KiB"]),
    Case(
        END,
        "[ingress]\nbody_timeout = \"5\"",
        "ingress.body_timeout",
        &["100ms to 10m", "\"5\"", "no unit", "\"5s\""],
    ),
    Case(END, "[ingress]\nbody_timeout = \"0s\"", "ingress.body_timeout", &["less than 100ms"]),
    Case(END, "[ingress]\nbody_timeout = \"99999999999999999999s\"", "ingress.body_timeout", &["too large"]),
    Case(END, "[ingress]\nbody_timeout = \"1.5s\"", "ingress.body_timeout", &["unit is none of ms, s, m, h, d"]),
    Case(
        END,
        "[ingress]\nmax_connections = \"7\"",
        "ingress.max_connections",
        &["whole number from 1 to 65536", "a text", "without quotes"],
    ),
    Case(END, "[ingress]\nmax_connections = 0", "ingress.max_connections", &["from 1 to 65536", "number 0"]),
    Case(END, "[ingress]\nmax_connections = 1.5", "ingress.max_connections", &["whole number", "1.5"]),
    Case(END, "[ingress]\nlisten = \"localhost:80\"", "ingress.listen", &["IP address and a port", "write 127.0.0.1"]),
    Case(END, "[ingress]\ntrusted_proxies = [\"10.0.0.1/8\"]", "ingress.trusted_proxies[0]", &["write 10.0.0.0/8"]),
    Case(END, "[ingress]\ntrusted_proxies = [\"10.0.0.0/33\"]", "ingress.trusted_proxies[0]", &["0 to 32"]),
    Case(
        END,
        "[ingress]\ntrusted_proxies = \"10.0.0.0/8\"",
        "ingress.trusted_proxies",
        &["expected a list", "brackets"],
    ),
    Case(
        END,
        "[verification]\nrequire_expectation = \"yes\"",
        "verification.require_expectation",
        &["true or false", "a text"],
    ),
    Case(
        END,
        "[verification]\nrecipients = [\"0x5aAeb6053F3E94C9b9A09f33669435E7Ef1Beaed\"]",
        "verification.recipients[0]",
        &["EIP-55", "checksum"],
    ),
    Case(END, "[verification.tolerance]\nabs = \"1e3\"", "verification.tolerance.abs", &["decimal amount", "\"0.01\""]),
    Case(END, "[verification.tolerance]\nbps = 1001", "verification.tolerance.bps", &["0 to 1000"]),
    Case(
        END,
        "[telemetry.log]\nformat = \"jsn\"",
        "telemetry.log.format",
        &["\"json\", \"text\"", "did you mean \"json\""],
    ),
    Case(END, "[telemetry]\nlog = \"info\"", "telemetry.log", &["expected a table", "[telemetry.log]"]),
    Case(END, "[ledger]\nengine = \"postgres\"", "ledger.engine", &["no PostgreSQL ledger", "\"sqlite\""]),
    Case("path = \"/s\"", "path = \"s\"", "sources.stripe-eu.path", &["begins with /"]),
    Case("path = \"/s\"", "path = \"/a/../b\"", "sources.stripe-eu.path", &[".. part"]),
    Case("path = \"/s\"", "", "sources.stripe-eu.path", &["required", "add the key path"]),
    Case(
        "name = \"stripe-eu\"",
        "name = \"Stripe EU\"",
        "sources.Stripe EU.name",
        &["1 to 64 of a-z, 0-9 and -", "'S'"],
    ),
    Case("provider = \"stripe\"", "provider = \"strip\"", "sources.stripe-eu.provider", &["did you mean \"stripe\""]),
    Case(
        "secrets = [\"env:S\"]",
        "secrets = [\"env:S\"]\nmin_assurance = \"A1\"",
        "sources.stripe-eu.min_assurance",
        &["A2", "recipient is not proven"],
    ),
    Case(END, "timeout = \"15\"", "forward.timeout", &["no unit"]),
    Case(END, "types = [\"payment.verifed\"]", "forward.types[0]", &["did you mean \"payment.verified\""]),
    Case(END, "accept = [200]", "forward.accept[0]", &["300 to 599"]),
    Case(END, "[forward.to.\"Big One\"]", "forward.to.Big One", &["1 to 64 of a-z", "rename"]),
    Case(
        "url = \"https://core.example.com/in?token=hidden-in-query\"",
        "url = \"ftp://core/x\"",
        "forward.url",
        &["neither http nor https"],
    ),
];

const UNKNOWN: &[Case] = &[
    Case(END, "tiemout = \"1s\"", "forward.tiemout", &["known keys url, secrets", "did you mean \"forward.timeout\""]),
    Case(
        "path = \"/s\"",
        "path = \"/s\"\nsecret = \"env:S\"",
        "sources.stripe-eu.secret",
        &["did you mean \"sources.stripe-eu.secrets\""],
    ),
    Case(END, "[ingres]\nlisten = \"x\"", "ingres", &["did you mean \"ingress\""]),
    Case(END, "[chains.base.finalty]", "chains.base.finalty", &["did you mean \"chains.base.finality\""]),
    // Keys that later versions bring are no exception: accepted and ignored would be worse than refused.
    Case(END, "[ingress.tls]\ncert = \"x\"", "ingress.tls", &["known keys", "tollgate.example.toml"]),
    Case(END, "braker = 3", "forward.braker", &["known keys"]),
    Case(END, "[verification]\nhurry = \"1\"", "verification.hurry", &["known keys"]),
];

const ACROSS: &[Case] = &[
    Case("secrets = [\"env:S\"]", "secrets = []", "sources.stripe-eu.secrets", &["at least one secret"]),
    Case(
        "secrets = [\"env:S\"]",
        "secrets = [\"env:S\", \"env:S\"]",
        "sources.stripe-eu.secrets[1]",
        &["stands earlier"],
    ),
    Case(END, "[ingress]\nhealth_path = \"/s\"", "sources.stripe-eu.path", &["used once", "ingress.health_path"]),
    Case(
        END,
        "[[sources]]\nname = \"stripe-eu\"\nprovider = \"stripe\"\npath = \"/t\"\nsecrets = [\"env:S\"]",
        "sources[1].name",
        &["used once", "sources.stripe-eu.name"],
    ),
    Case(
        END,
        "[[sources]]\nname = \"two\"\nprovider = \"stripe\"\npath = \"/s\"\nsecrets = [\"env:S\"]",
        "sources.two.path",
        &["used once", "\"/s\""],
    ),
    Case(
        END,
        "[[sources]]\nname = \"two\"\nprovider = \"hmac\"\npath = \"/t\"\nsecrets = [\"env:S\"]",
        "sources.two.header",
        &["needs it", "x-signature"],
    ),
    Case(
        END,
        "[[sources]]\nname = \"two\"\nprovider = \"standard-webhooks\"\npath = \"/t\"\nsecrets = [\"env:S\"]",
        "sources.two.secrets[0]",
        &["whsec_", "24 to 64"],
    ),
    Case(
        "path = \"/s\"",
        "path = \"/s\"\nheader = \"x\"",
        "sources.stripe-eu.header",
        &["only where provider is \"hmac\""],
    ),
    Case(
        "path = \"/s\"",
        "path = \"/s\"\nforward_to = [\"books\"]",
        "sources.stripe-eu.forward_to",
        &["\"books\"", "[forward.to.books]"],
    ),
    Case(END, "[admin]\nlisten = \"0.0.0.0:9600\"", "admin.listen", &["without tokens", "[[admin.tokens]]"]),
    Case(END, "[admin]\nlisten = \"127.0.0.1:8080\"", "admin.listen", &["ingress.listen takes too"]),
    Case(
        END,
        "[admin]\ntokens = [{ name = \"a\", role = \"admin\", secret = \"env:S\" }, { name = \"a\", role = \"viewer\", secret = \"env:KEY\" }]",
        "admin.tokens[1].name",
        &["used once"],
    ),
    Case(
        END,
        "[admin]\ntokens = [{ name = \"a\", role = \"admin\", secret = \"env:S\" }, { name = \"b\", role = \"viewer\", secret = \"env:S\" }]",
        "admin.tokens.b.secret",
        &["another token has"],
    ),
    Case(
        END,
        "[admin]\ntokens = [{ name = \"a\", role = \"admin\", secret = \"env:S\", sources = [\"nope\"] }]",
        "admin.tokens.a.sources",
        &["\"nope\"", "stripe-eu"],
    ),
    Case(
        END,
        "[verification.screening]\nfiles = [\"/d/a\", \"/d/b\", \"/d/a\"]",
        "verification.screening.files",
        &["every file once", "\"/d/a\" twice"],
    ),
    Case(
        END,
        "[verification.screening]\nfiles = [\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\",\"9\",\"10\",\"11\",\"12\",\"13\",\"14\",\"15\",\"16\",\"17\"]",
        "verification.screening.files",
        &["at most 16 files; found 17"],
    ),
    Case(
        END,
        "[verification.screening]\noracle = { celo = \"0x40C57923924B5c5c5455c48D93317139ADDaC8fb\" }",
        "verification.screening.oracle.celo",
        &["the name of an active chain", "write one that exists: base", "add [chains.celo]"],
    ),
    Case(
        END,
        "[verification.screening]\noracle = { base = \"0x0000000000000000000000000000000000000000\" }",
        "verification.screening.oracle.base",
        &["expected a contract; found the zero address"],
    ),
    Case(END, "[verification.screening]\nmax_age = \"59m\"", "verification.screening.max_age", &["less than 1h"]),
    Case(END, "[verification]\nrequire_expectation = false", "verification.require_expectation", &["recipients"]),
    Case("secrets = [\"env:F\"]", "", "forward.secrets", &["at least one key", "secret generate"]),
    Case("secrets = [\"env:F\"]", "secrets = [\"env:S\"]", "forward.secrets[0]", &["whsec_", "secret generate"]),
    Case(END, "backoff = { first = \"10s\", max = \"1s\" }", "forward.backoff.max", &["at least backoff.first"]),
    Case(
        "url = \"https://core.example.com/in?token=hidden-in-query\"",
        "url = \"http://core.example.com/x\"",
        "forward.url",
        &["https", "allow_private = true"],
    ),
    Case(
        "url = \"https://core.example.com/in?token=hidden-in-query\"",
        "url = \"https://10.1.2.3/x\"",
        "forward.url",
        &["private", "allow_private"],
    ),
    Case(
        "url = \"https://core.example.com/in?token=hidden-in-query\"",
        "url = \"http://8.8.8.8/x\"\nallow_private = true",
        "forward.url",
        &["expected https"],
    ),
    Case(END, "[forward.to.default]\nrate = 1", "forward.to.default", &["another name"]),
    Case(
        "    { name = \"b\", owner = \"y\", url = \"https://b.example\" },\n",
        "",
        "chains.base.rpc",
        &["at least 2 nodes", "allow_single_node"],
    ),
    Case(
        END,
        "[evidence]\nreserve = \"8 GiB\"\nwatermarks = { shed = \"2 GiB\" }",
        "evidence.watermarks.shed",
        &["at least evidence.reserve", "8 GiB", "2 GiB"],
    ),
    Case(
        END,
        "[evidence.watermarks]\nwarn = \"2 GiB\"\nshed = \"3 GiB\"",
        "evidence.watermarks.warn",
        &["at least evidence.watermarks.shed, 3 GiB", "found 2 GiB"],
    ),
    Case(
        END,
        "[evidence.archive]\nurl = \"var/lib/archive\"",
        "evidence.archive.url",
        &["an absolute path, or a bucket", "s3://"],
    ),
    Case(END, "[evidence.archive]\nurl = \"s3://b\"", "evidence.archive.url", &["bucket is not 3 to 63"]),
    Case(END, "[evidence.archive]\nurl = \"s3://bucket/a//b\"", "evidence.archive.url", &["its prefix"]),
    Case(END, "[evidence.archive]\nurl = \"/var/../etc\"", "evidence.archive.url", &["neither an absolute path"]),
    Case(
        END,
        "[evidence.archive]\nurl = \"s3://bucket\"\nendpoint = \"http://10.0.0.1:9000\"",
        "evidence.archive.endpoint",
        &["loopback", "https://"],
    ),
    Case(
        END,
        "[evidence.archive]\nurl = \"s3://bucket\"\naccess_key = \"env:S\"",
        "evidence.archive.secret_key",
        &["beside the other", "secret_key = "],
    ),
    Case(
        END,
        "[evidence.archive]\nurl = \"/var/lib/archive\"\nendpoint = \"https://x.example\"",
        "evidence.archive.endpoint",
        &["only where url is s3"],
    ),
    Case(END, "[evidence.archive]\nendpoint = \"https://x.example\"", "evidence.archive.endpoint", &["expected url"]),
    Case("owner = \"y\"", "owner = \"x\"", "chains.base.owners", &["at least 2 owners", "found 1"]),
    Case("name = \"b\"", "name = \"a\"", "chains.base.rpc[1].name", &["used once"]),
    Case("https://b.example", "https://a.example/v2/${env:KEY}", "chains.base.rpc.b.url", &["endpoint of its own"]),
    Case(
        "[chains.base]",
        "[chains.base]\nagree = 1\nowners = 1",
        "chains.base.agree",
        &["at least 2", "allow_single_node"],
    ),
    Case("[chains.base]", "[chains.base]\nchain_id = 1", "chains.base.chain_id", &["8453", "drop chain_id"]),
    Case("[chains.base]", "[chains.bsae]", "chains.bsae", &["did you mean [chains.base]"]),
    Case(
        "[chains.base]",
        "[chains.base]\nfinality = [{ up_to_usd = 5, confirmations = 1 }]",
        "chains.base.finality[0].up_to_usd",
        &["last tier"],
    ),
    Case(
        "[chains.base]",
        "[chains.base]\ntokens = [{ symbol = \"X\", address = \"0x0\", decimals = 6 }]",
        "chains.base.tokens[0].address",
        &["address"],
    ),
];

#[test]
fn every_refusal_names_key_expectation_and_way_out() {
    for Case(line, instead, key, words) in [SHAPES, UNKNOWN, ACROSS].concat() {
        let text = if line == END { format!("{SOUND}{instead}\n") } else { SOUND.replace(line, instead) };
        assert_ne!(text, SOUND, "the case changes nothing: {line}");
        let all = problems(&text, &[]);
        let found: Vec<_> = all.0.iter().filter(|problem| problem.key == key).collect();
        assert_eq!(found.len(), 1, "one problem at {key} wanted:\n{all}\n{text}");
        let shown = found[0].to_string();
        for word in words {
            assert!(shown.contains(word), "{word:?} not in:\n{shown}");
        }
        assert!(found[0].message.starts_with("expected "), "{shown}");
        assert!(!found[0].help.is_empty());
        assert_eq!(all.0.len(), 1, "a slip makes one message, not several:\n{all}");
    }
}

impl Clone for Case {
    fn clone(&self) -> Self {
        *self
    }
}

impl Copy for Case {}

#[test]
fn all_problems_come_at_once_with_their_lines() {
    let text = SOUND.replace("path = \"/s\"", "path = 5").replace("owner = \"y\"", "owner = \"x\"")
        + "timeout = 3\n[ingress]\nmax_body = 1\n[admin]\nlisten = \"0.0.0.0:1\"\ncolour = 1\n";
    let all = problems(&text, &[("TOLLGATE_FORWARD__TIMOUT", "5s")]);
    let keys: Vec<&str> = all.0.iter().map(|problem| problem.key.as_str()).collect();
    for key in [
        "TOLLGATE_FORWARD__TIMOUT",
        "sources.stripe-eu.path",
        "chains.base.owners",
        "forward.timeout",
        "ingress.max_body",
        "admin.listen",
        "admin.colour",
    ] {
        assert!(keys.contains(&key), "{key} not in {keys:?}");
    }
    assert_eq!(keys.len(), 7, "{all}");
    let shown = all.to_string();
    assert!(shown.contains("gate.toml, line 5)"), "{shown}");
    assert!(shown.ends_with("7 problems in the configuration"), "{shown}");
}

#[test]
fn text_that_is_no_toml_is_named_with_its_line_once() {
    let all = problems("data_dir = \"x\"\n[ingress\nlisten = \n", &[]);
    let shown = all.to_string();
    assert!(shown.contains("gate.toml, line 2)"), "{shown}");
    assert!(all.0.len() <= 2, "{shown}");
}

#[test]
fn an_empty_configuration_says_what_is_missing() {
    let all = problems("", &[]);
    assert_eq!(all.0[0].key, "sources");
    assert!(all.to_string().contains("add [[sources]]"));
}
