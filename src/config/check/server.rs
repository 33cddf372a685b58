//! Listeners, tokens, folders.

use std::net::SocketAddr;
use std::path::Path;

use super::{refuse_twice, size};
use crate::config::checked::{Admin, Backup, Evidence, Ingress, Ledger, Seal, Shutdown, Source, Telemetry, Token};
use crate::config::raw::{File, server};
use crate::config::read::Reader;

/// No two listeners on one address.
pub(super) fn listeners(file: &File, reader: &mut Reader<'_>) {
    let all = [
        ("ingress.listen", Some(file.ingress.listen.0)),
        ("admin.listen", Some(file.admin.listen.0)),
        ("telemetry.listen", file.telemetry.listen.map(|listen| listen.0)),
    ];
    let all = all.iter().filter_map(|(key, listen)| listen.map(|listen| (*key, listen)));
    let mut earlier: Vec<(&str, SocketAddr)> = Vec::new();
    for (key, listen) in all {
        // Port 0 lets the system choose.
        let same = |other: &&(&str, SocketAddr)| {
            let covers = other.1.ip() == listen.ip() || other.1.ip().is_unspecified() || listen.ip().is_unspecified();
            covers && other.1.port() == listen.port() && listen.port() != 0
        };
        if let Some((other, _)) = earlier.iter().find(same) {
            let message = format!("expected an address of its own; found {listen}, which {other} takes too");
            reader.problem(key, message, "choose another port");
        }
        earlier.push((key, listen));
    }
}

/// `[admin]`
pub(super) fn admin(file: &File, sources: &[Source], reader: &mut Reader<'_>) -> Admin {
    let written = &file.admin.tokens;
    let names =
        written.iter().filter_map(|token| Some((token.name.as_ref()?.0.as_str(), format!("{}.name", token.at))));
    refuse_twice(names, "a name of a token", reader);
    let mut tokens: Vec<Token> = Vec::new();
    for token in written {
        for source in &token.sources {
            if !sources.iter().any(|known| known.name == source.0) && !reader.is_broken("sources") {
                let message = format!("expected names of sources; found {:?}, which is none", source.0);
                reader.problem(&format!("{}.sources", token.at), message, known(sources.iter().map(|s| &s.name)));
            }
        }
        let (Some(name), Some(role), Some(secret)) = (&token.name, token.role, &token.secret) else { continue };
        if tokens.iter().any(|earlier| earlier.secret.expose() == secret.secret.expose()) {
            let key = format!("{}.secret", token.at);
            reader.problem(&key, "expected a secret of its own; found one that another token has", "make a new one");
        }
        tokens.push(Token {
            name: name.0.clone(),
            role: role.0,
            secret: secret.secret.clone(),
            sources: token.sources.iter().map(|source| source.0.clone()).collect(),
        });
    }
    let listen = file.admin.listen.0;
    if written.is_empty() && !listen.ip().to_canonical().is_loopback() {
        let message =
            format!("expected a loopback address, or tokens; found {listen} without tokens: anyone could act");
        reader.problem("admin.listen", message, "add [[admin.tokens]], or write 127.0.0.1");
    }
    Admin { listen, tokens }
}

/// "known are a, b".
pub(super) fn known<'n>(names: impl Iterator<Item = &'n String>) -> String {
    let names: Vec<&str> = names.map(String::as_str).collect();
    format!("write one that exists: {}", names.join(", "))
}

/// `[ingress]`
pub(super) fn ingress(raw: server::Ingress) -> Ingress {
    Ingress {
        listen: raw.listen.0,
        max_body: size(raw.max_body.0),
        max_headers: size(raw.max_headers.0),
        max_connections: size(raw.max_connections.0),
        first_byte_timeout: raw.first_byte_timeout.0,
        header_timeout: raw.header_timeout.0,
        body_timeout: raw.body_timeout.0,
        min_body_rate: size(raw.min_body_rate.0),
        trusted_proxies: raw.trusted_proxies.iter().map(|block| block.0).collect(),
        health_path: raw.health_path.map(|path| path.0),
    }
}

/// `[telemetry]`
pub(super) fn telemetry(raw: server::Telemetry) -> Telemetry {
    Telemetry { json: raw.log.format.0 == "json", level: raw.log.level.0, listen: raw.listen.map(|listen| listen.0) }
}

/// `[shutdown]`
pub(super) fn shutdown(raw: &server::Shutdown) -> Shutdown {
    Shutdown { delay: raw.delay.0, grace: raw.grace.0 }
}

/// `[evidence]`
pub(super) fn evidence(raw: server::Evidence, data_dir: &Path, reader: &mut Reader<'_>) -> Evidence {
    let path = raw.path.map_or_else(|| data_dir.join("evidence"), |path| path.0);
    reader.derives("evidence.path", format!("{path:?}"));
    let watermarks = super::lifetime::watermarks(&raw.watermarks, raw.reserve.0, reader);
    let archive = super::lifetime::archive(raw.archive, reader);
    let seal = seal(raw.seal, &path, reader);
    let retention = super::lifetime::retention(&raw.retention);
    Evidence {
        path,
        reserve: raw.reserve.0,
        rejected_max: raw.rejected_max.0,
        repeats_max: u32::try_from(raw.repeats_max.0).unwrap_or(u32::MAX),
        watermarks,
        retention,
        retention_every: raw.retention.every.0,
        archive,
        seal,
    }
}

/// `[evidence.seal]`
fn seal(raw: server::Seal, folder: &Path, reader: &mut Reader<'_>) -> Seal {
    let key = raw.key.map_or_else(|| folder.join("seal.key"), |path| path.0);
    reader.derives("evidence.seal.key", format!("{key:?}"));
    if raw.publish_url.as_ref().is_some_and(|url| url.0.scheme() == "http" && !url.is_loopback()) {
        let problem = "expected https: a checkpoint sent in the clear can be replaced on its way; found http";
        reader.problem("evidence.seal.publish_url", problem, "use https, or a loopback address");
    }
    Seal {
        key,
        every: raw.every.0,
        publish_file: raw.publish_file.map(|path| path.0),
        publish_url: raw.publish_url.map(|url| url.0),
    }
}

/// `[ledger]`
pub(super) fn ledger(raw: server::Ledger, data_dir: &Path, reader: &mut Reader<'_>) -> Ledger {
    let path = raw.path.map_or_else(|| data_dir.join("ledger.db"), |path| path.0);
    reader.derives("ledger.path", format!("{path:?}"));
    Ledger { path }
}

/// `[backup]`
pub(super) fn backup(raw: server::Backup, data_dir: &Path, reader: &mut Reader<'_>) -> Backup {
    let path = raw.path.map_or_else(|| data_dir.join("backups"), |path| path.0);
    reader.derives("backup.path", format!("{path:?}"));
    Backup { path, settings: Vec::new() }
}
