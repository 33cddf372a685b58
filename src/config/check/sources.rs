//! Sources and verification.

use std::collections::BTreeMap;

use super::refuse_twice;
use super::server::known;
use crate::config::checked::{
    Destination, Encoding, HmacScheme, Provider, Screening, Source, SourceSecret, TypeFilter, Verification,
};
use crate::config::raw::{File, lifetime, sources};
use crate::config::read::{Reader, join};
use crate::config::value::check_signing_key;
use crate::digest::Algorithm;

/// Deny files: each payment is looked up in all of them.
const SCREENING_FILES_MAX: usize = 16;

/// Names and paths stand once, and none is the health path.
pub(super) fn unique(file: &File, reader: &mut Reader<'_>) {
    let all = &file.sources;
    if all.is_empty() && !reader.is_broken("sources") {
        let help = "add [[sources]] with name, provider, path and secrets";
        reader.problem("sources", "expected at least one source; found none: nobody could post", help);
    }
    let names = all.iter().filter_map(|source| Some((source.name.as_ref()?.0.as_str(), format!("{}.name", source.at))));
    refuse_twice(names, "a name of a source", reader);
    let path = |source: &sources::Source| Some((source.path.clone()?.0, format!("{}.path", source.at)));
    let mut paths: Vec<(String, String)> = Vec::new();
    if let Some(health) = &file.ingress.health_path {
        paths.push((health.0.clone(), "ingress.health_path".to_owned()));
    }
    paths.extend(all.iter().filter_map(path));
    refuse_twice(paths.iter().map(|(path, key)| (path.as_str(), key.clone())), "a path", reader);
}

/// `[verification]`
pub(super) fn verification(file: &File, reader: &mut Reader<'_>) -> Verification {
    let raw = &file.verification;
    if !raw.require_expectation && raw.recipients.is_empty() {
        reader.problem(
            "verification.require_expectation",
            "expected true, or recipients beside it; found false without recipients: any address could be the payee",
            "list your addresses in verification.recipients",
        );
    }
    Verification {
        require_expectation: raw.require_expectation,
        recipients: raw.recipients.iter().map(|address| address.0).collect(),
        give_up: raw.give_up.0,
        tolerance_abs: raw.tolerance.abs.0.clone(),
        tolerance_bps: u16::try_from(raw.tolerance.bps.0).unwrap_or(u16::MAX),
        twin_grace: raw.twin_grace.0,
        regrace: raw.regrace.0,
        exposure_cap_usd: raw.exposure_cap.map(|cap| cap.0),
        screening: screening(file, reader),
        scan: raw.scan,
        late_watch: raw.late_watch.0,
        scan_range_blocks: raw.scan_range.0,
    }
}

/// `[verification.screening]`; whether the files hold lists is for who reads them.
fn screening(file: &File, reader: &mut Reader<'_>) -> Screening {
    let raw = &file.verification.screening;
    let key = "verification.screening.files";
    let files: Vec<_> = raw.files.iter().map(|path| path.0.clone()).collect();
    if SCREENING_FILES_MAX < files.len() {
        let message = format!("expected at most {SCREENING_FILES_MAX} files; found {}", files.len());
        reader.problem(key, message, "put several lists into one file");
    }
    if let Some(twice) = (1..).zip(&files).find_map(|(next, path)| files.iter().skip(next).find(|other| *other == path))
    {
        reader.problem(key, format!("expected every file once; found {twice:?} twice"), "remove one of the two");
    }
    for (chain, contract) in &raw.oracle {
        let key = join("verification.screening.oracle", chain);
        if !file.chains.contains_key(chain) {
            let message = format!("expected the name of an active chain; found {chain:?}, which is none");
            reader.problem(&key, message, format!("{}; or add [chains.{chain}]", known(file.chains.keys())));
        } else if contract.0.is_zero() {
            let help = "write the address at which the oracle is deployed on this chain";
            reader.problem(&key, "expected a contract; found the zero address", help);
        }
    }
    let oracle = raw.oracle.iter().map(|(chain, contract)| (chain.clone(), contract.0)).collect();
    Screening { files, max_age: raw.max_age.0, oracle }
}

/// `[[sources]]`; one that misses a required key is left out, its problem is noted.
pub(super) fn sources(
    file: &File,
    destinations: &BTreeMap<String, Destination>,
    reader: &mut Reader<'_>,
) -> Vec<Source> {
    let retention = &file.evidence.retention;
    file.sources.iter().filter_map(|raw| source(raw, retention, destinations, reader)).collect()
}

fn source(
    raw: &sources::Source,
    retention: &lifetime::Retention,
    destinations: &BTreeMap<String, Destination>,
    reader: &mut Reader<'_>,
) -> Option<Source> {
    let at = &raw.at;
    if raw.secrets.is_empty() && !reader.is_broken(&format!("{at}.secrets")) {
        let help = "write secrets = [\"file:/run/secrets/NAME\"] with the secret the provider shows";
        reader.problem(&format!("{at}.secrets"), "expected at least one secret; found none", help);
    }
    let secrets = secrets(raw, reader);
    for name in raw.forward_to.iter().filter(|name| !destinations.contains_key(&name.0)) {
        let message = format!("expected names of destinations; found {:?}, which is none", name.0);
        let help = format!("{}; or add [forward.to.{}]", known(destinations.keys()), name.0);
        reader.problem(&format!("{at}.forward_to"), message, help);
    }
    let provider = provider(raw, reader);
    let (name, path, provider) = (raw.name.clone()?.0, raw.path.clone()?.0, provider?);
    let forward_to = match raw.forward_to.as_slice() {
        [] => {
            reader.derives(&format!("{at}.forward_to"), "[\"default\"]".to_owned());
            vec!["default".to_owned()]
        }
        names => names.iter().map(|name| name.0.clone()).collect(),
    };
    let realm = raw.realm.clone().map_or_else(
        || match &provider {
            Provider::Stripe | Provider::RequestNetwork => provider.name().to_owned(),
            Provider::Hmac(_) | Provider::StandardWebhooks => name.clone(),
        },
        |realm| realm.0,
    );
    reader.derives(&format!("{at}.realm"), format!("{realm:?}"));
    let shed = raw.shed.map_or_else(|| provider.shed(), |class| class.0);
    reader.derives(&format!("{at}.shed"), format!("{:?}", shed.as_str()));
    let texts = |list: &[crate::config::value::Label]| list.iter().map(|text| text.0.clone()).collect();
    let patterns = |list: &[crate::config::value::Pattern]| list.iter().map(|text| text.0.clone()).collect();
    Some(Source {
        name,
        path,
        provider,
        secrets,
        tolerance: raw.tolerance.0,
        realm,
        livemode: raw.livemode,
        accounts: texts(&raw.accounts),
        client_ids: texts(&raw.client_ids),
        allow_ips: raw.allow_ips.iter().map(|block| block.0).collect(),
        types: TypeFilter { forward: patterns(&raw.types.forward), ignore: patterns(&raw.types.ignore) },
        min_assurance: raw.min_assurance.0,
        shed,
        retention: super::lifetime::of_source(&raw.retention, retention, reader),
        forward_to,
    })
}

/// Secrets with the name each is called by: the given one, or that of its file or variable, made unique by a number.
fn secrets(raw: &sources::Source, reader: &mut Reader<'_>) -> Vec<SourceSecret> {
    let at = format!("{}.secrets", raw.at);
    let given = raw.secrets.iter().filter_map(|entry| Some((entry.name.as_deref()?, at.clone())));
    refuse_twice(given, "a name of a secret", reader);
    let signing_keys = raw.provider.is_some_and(|provider| provider.0 == "standard-webhooks");
    let mut secrets: Vec<SourceSecret> = Vec::new();
    for entry in &raw.secrets {
        if secrets.iter().any(|earlier| earlier.secret.expose() == entry.secret.secret.expose()) {
            let message = "expected a secret of its own; found one that stands earlier in the list";
            reader.problem(&entry.key, message, "remove one of the two");
        }
        if signing_keys {
            check_signing_key(&entry.secret.secret, &entry.key, reader);
        }
        let base = entry.name.clone().unwrap_or_else(|| entry.secret.label.clone());
        let numbered = (2..).map(|number: usize| format!("{base}-{number}"));
        let taken = |name: &String| secrets.iter().any(|earlier| earlier.name == *name);
        let name = std::iter::once(base.clone()).chain(numbered).find(|name| !taken(name)).unwrap_or_default();
        let not_after = entry.not_after.map(|moment| moment.0);
        secrets.push(SourceSecret { name, secret: entry.secret.secret.clone(), not_after });
    }
    secrets
}

/// The provider with its own keys; keys of another provider are refused.
fn provider(raw: &sources::Source, reader: &mut Reader<'_>) -> Option<Provider> {
    let provider = raw.provider?.0;
    let own: [(&str, &str, bool); 7] = [
        ("accounts", "stripe", !raw.accounts.is_empty()),
        ("client_ids", "request-network", !raw.client_ids.is_empty()),
        ("header", "hmac", raw.header.is_some()),
        ("algorithm", "hmac", raw.algorithm.is_some()),
        ("encoding", "hmac", raw.encoding.is_some()),
        ("prefix", "hmac", raw.prefix.is_some()),
        ("identity", "hmac", !raw.identity.is_empty()),
    ];
    for (key, of, set) in own {
        if set && of != provider {
            let message = format!("expected only where provider is {of:?}; found it where provider is {provider:?}");
            reader.problem(&format!("{}.{key}", raw.at), message, "remove the key, or change the provider");
        }
    }
    match provider {
        "stripe" => Some(Provider::Stripe),
        "request-network" => Some(Provider::RequestNetwork),
        "standard-webhooks" => Some(Provider::StandardWebhooks),
        _ => hmac(raw, reader).map(Provider::Hmac),
    }
}

fn hmac(raw: &sources::Source, reader: &mut Reader<'_>) -> Option<HmacScheme> {
    let key = format!("{}.header", raw.at);
    if raw.header.is_none() && !reader.is_broken(&key) {
        let message = "expected the header that holds the signature; found nothing: provider \"hmac\" needs it";
        reader.problem(&key, message, "write it like header = \"x-signature\"");
    }
    let scheme = HmacScheme {
        header: raw.header.clone()?.0.to_ascii_lowercase(),
        algorithm: raw.algorithm.map_or(Algorithm::Sha256, |algorithm| algorithm.0),
        encoding: raw.encoding.map_or(Encoding::Hex, |encoding| encoding.0),
        prefix: raw.prefix.clone().map_or_else(String::new, |prefix| prefix.0),
        identity: raw.identity.iter().map(|pointer| pointer.0.clone()).collect(),
    };
    if raw.algorithm.is_none() {
        reader.derives(&format!("{}.algorithm", raw.at), "\"sha256\"".to_owned());
    }
    if raw.encoding.is_none() {
        reader.derives(&format!("{}.encoding", raw.at), "\"hex\"".to_owned());
    }
    Some(scheme)
}
