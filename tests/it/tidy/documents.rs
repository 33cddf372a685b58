//! What the documents say against what there is: links, names, the configuration in the README, dependencies.

use std::collections::{BTreeMap, BTreeSet};

use tollgate::config;
use tollgate::model::{Code, EventState};
use tollgate::telemetry::metrics::Metrics;

use super::assert_clean;
use super::tree::{files, read, root};

/// Lines of the README's configuration, blank ones apart.
const CONFIGURATION_LINES_MAX: usize = 15;

/// Where the README's secrets lie.
const SECRETS_FOLDER: &str = "/run/secrets";

/// The blocks of one language in a Markdown text.
fn blocks<'a>(text: &'a str, language: &str) -> Vec<&'a str> {
    let opening = format!("```{language}\n");
    text.split(&opening).skip(1).filter_map(|rest| rest.split_once("\n```")).map(|(block, _)| block).collect()
}

/// Targets of `[text](target)`, without their anchors.
fn links(text: &str) -> Vec<&str> {
    let prose = text.split("```").step_by(2);
    let targets = prose.flat_map(|part| part.split("](").skip(1)).filter_map(|rest| rest.split_once(')'));
    targets.map(|(target, _)| target.split('#').next().unwrap_or(target)).collect()
}

#[test]
fn links_in_documents_lead_to_files_that_exist() {
    let mut breaches = Vec::new();
    for path in files(&[".md"]) {
        let folder = root().join(&path).parent().unwrap().to_owned();
        let text = read(&path);
        let local = links(&text).into_iter().filter(|target| !target.is_empty() && !target.contains(':'));
        breaches.extend(
            local.filter(|target| !folder.join(target).exists()).map(|target| format!("{path} links to {target}")),
        );
    }
    assert_clean("links", &breaches);
}

/// Folders of the checkout that documents speak of, from its root; a lone `name.rs` is a file of `tests/it`.
const FOLDERS: [&str; 6] = ["src/", "tests/", "docs/", "scripts/", "evidence-store/", "chain-config/"];

#[test]
fn files_that_documents_name_exist() {
    let mut breaches = Vec::new();
    for path in
        ["README.md", "ARCHITECTURE.md", "CHANGELOG.md", "SECURITY.md", "docs/operations.md", "docs/reliability.md"]
    {
        let text = read(path);
        let prose: String = text.split("```").step_by(2).collect();
        let named: Vec<&str> = prose.split('`').skip(1).step_by(2).filter(|span| !span.contains(' ')).collect();
        let from_root = named.iter().filter(|span| FOLDERS.iter().any(|folder| span.starts_with(folder)));
        let lone = named.iter().filter(|span| span.ends_with(".rs") && !span.contains('/'));
        let files = from_root.map(|span| (*span).to_owned()).chain(lone.map(|span| format!("tests/it/{span}")));
        breaches.extend(files.filter(|file| !root().join(file).exists()).map(|file| format!("{path} names {file}")));
    }
    assert_clean("named files", &breaches);
}

#[test]
fn tests_that_documents_name_exist() {
    let (mut named, mut breaches) = (0, Vec::new());
    for path in ["docs/verification.md", "docs/reliability.md", "SECURITY.md"] {
        let text = read(path);
        let spans = text.split('`').skip(1).step_by(2).filter(|span| !span.contains(char::is_whitespace));
        for (file, test) in spans.filter_map(|span| span.split_once(".rs::")) {
            named += 1;
            let source = std::fs::read_to_string(root().join(format!("{file}.rs"))).unwrap_or_default();
            if !source.contains(&format!("fn {test}(")) {
                breaches.push(format!("{path}: there is no test {test} in {file}.rs"));
            }
        }
    }
    assert!(0 < named, "the documents name no test at all");
    assert_clean("named tests", &breaches);
}

#[test]
fn the_configuration_in_the_readme_is_short_and_loads() {
    let readme = read("README.md");
    let [block] = blocks(&readme, "toml")[..] else { panic!("README.md has one block of TOML") };
    let lines = block.lines().filter(|line| !line.trim().is_empty()).count();
    assert!(lines <= CONFIGURATION_LINES_MAX, "the README's configuration has {lines} lines");

    let folder = tempfile::tempdir().unwrap();
    let whsec = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    for name in ["request-network", "forward", "admin-backend"] {
        assert!(block.contains(&format!("{SECRETS_FOLDER}/{name}")), "{name}");
        std::fs::write(folder.path().join(name), whsec).unwrap();
    }
    let file = folder.path().join("tollgate.toml");
    std::fs::write(&file, block.replace(SECRETS_FOLDER, folder.path().to_str().unwrap())).unwrap();
    let environment = ["BASE_RPC_A", "BASE_RPC_B"]
        .map(|name| (name.to_owned(), format!("https://{}.example.com/key", name.to_lowercase().replace('_', "-"))));
    let loaded = config::load(&[file], &BTreeMap::from(environment)).unwrap_or_else(|problems| panic!("{problems}"));

    let config = loaded.config;
    assert_eq!(config.sources.len(), 1);
    assert_eq!(config.sources[0].path, "/webhooks/request-network");
    assert_eq!(config.chains["base"].nodes.len(), 2);
    assert_eq!(config.destinations["default"].url.as_deref(), Some("https://backend.example.com/payments"));
    assert!(config.verification.require_expectation);
}

/// The names of all metrics as scraped, from the line that documents each instrument: what was never counted is not
/// in the exposition.
fn metrics() -> Vec<String> {
    let text = read("src/telemetry/metrics.rs");
    let documented = text.lines().filter_map(|line| line.trim().strip_prefix("/// `_"));
    let names = documented.map(|line| line.split(['{', '`']).next().unwrap_or(line));
    let names: Vec<String> = names.chain(["build_info"]).map(|name| format!("tollgate_{name}")).collect();
    let registered = text.matches(" r.register").count();
    assert_eq!(names.len(), registered, "each registered metric is documented by its name where it is declared");
    let exposition = Metrics::new().encode().unwrap();
    assert!(names.iter().any(|name| exposition.contains(&format!("# TYPE {name} "))), "{exposition}");
    names
}

/// What the guide says in code spans, without labels.
fn spans(guide: &str) -> BTreeSet<&str> {
    guide.split('`').skip(1).step_by(2).map(|span| span.split('{').next().unwrap_or(span)).collect()
}

#[test]
fn the_operators_guide_names_every_code_state_and_metric() {
    let guide = read("docs/operations.md");
    let spans = spans(&guide);
    let codes = Code::ALL.iter().map(|code| code.as_str().to_owned());
    let states = EventState::ALL.iter().map(|state| state.as_str().to_owned());
    let breaches: Vec<_> = codes
        .chain(states)
        .chain(metrics())
        .filter(|name| !spans.contains(name.as_str()))
        .map(|name| format!("{name} is missing: say what it means and what to do"))
        .collect();
    assert_clean("docs/operations.md", &breaches);
}

#[test]
fn the_operators_guide_names_no_metric_that_is_gone() {
    let guide = read("docs/operations.md");
    let metrics = metrics();
    let named =
        spans(&guide).into_iter().filter(|name| name.len() > "tollgate_".len() && name.starts_with("tollgate_"));
    let gone = named.filter(|name| !metrics.iter().any(|metric| metric == name));
    let breaches: Vec<_> = gone.map(|name| format!("{name} is no metric of this version")).collect();
    assert_clean("docs/operations.md", &breaches);
}

#[test]
fn every_direct_dependency_is_argued_in_the_architecture() {
    let page = read("ARCHITECTURE.md");
    let (_, table) = page.split_once("\n## Dependencies\n").expect("ARCHITECTURE.md has a part on dependencies");
    let argued: BTreeSet<&str> = table
        .lines()
        .filter_map(|line| line.strip_prefix("| "))
        .filter_map(|row| row.split(" |").next())
        .flat_map(|names| names.split(", "))
        .map(|name| name.split(" (").next().unwrap_or(name))
        .collect();
    let ours = ["chain-config", "evidence-store"];
    let mut breaches = Vec::new();
    for manifest in ["Cargo.toml", "chain-config/Cargo.toml", "evidence-store/Cargo.toml"] {
        let manifest_table: toml::Table = read(manifest).parse().unwrap();
        for kind in ["dependencies", "dev-dependencies", "build-dependencies"] {
            let names =
                manifest_table.get(kind).and_then(toml::Value::as_table).into_iter().flat_map(toml::Table::keys);
            let missing = names.filter(|name| !argued.contains(name.as_str()) && !ours.contains(&name.as_str()));
            breaches.extend(missing.map(|name| format!("{manifest}: {name}, {kind}")));
        }
    }
    assert_clean("dependencies without a row in ARCHITECTURE.md", &breaches);
}

/// The image builds the dependencies with empty crates, and cargo refuses a manifest that names a file which is not there.
#[test]
fn the_image_makes_a_file_for_each_bench_of_a_manifest() {
    let dockerfile = read("Dockerfile");
    let made: BTreeSet<&str> = dockerfile.split_whitespace().collect();
    let mut breaches = Vec::new();
    for folder in ["", "chain-config/", "evidence-store/"] {
        let manifest: toml::Table = read(&format!("{folder}Cargo.toml")).parse().unwrap();
        let benches = manifest.get("bench").and_then(toml::Value::as_array).into_iter().flatten();
        let paths = benches.filter_map(|bench| bench["name"].as_str()).map(|name| format!("{folder}benches/{name}.rs"));
        breaches.extend(paths.filter(|path| !made.contains(path.as_str())));
    }
    assert_clean("benches that the Dockerfile does not make", &breaches);
}

/// Name and version of every package in a lock file.
fn locked(path: &str) -> BTreeSet<(String, String)> {
    let lock: toml::Table = read(path).parse().unwrap();
    let text = |package: &toml::Value, key: &str| package[key].as_str().unwrap().to_owned();
    let packages = lock["package"].as_array().unwrap().iter();
    packages.map(|package| (text(package, "name"), text(package, "version"))).collect()
}

/// What is fuzzed is what is shipped: the fuzzer's workspace has a lock file of its own, and no build here looks at it.
#[test]
fn the_fuzzer_is_locked_to_the_same_packages() {
    const ITS_OWN: [&str; 3] = ["tollgate-fuzz", "libfuzzer-sys", "arbitrary"];
    let (shipped, fuzzed) = (locked("Cargo.lock"), locked("fuzz/Cargo.lock"));
    let other = fuzzed.difference(&shipped).filter(|(name, _)| !ITS_OWN.contains(&name.as_str()));
    let mut breaches: Vec<_> = other.map(|(name, version)| format!("{name} {version} is locked there only")).collect();
    for manifest in ["Cargo.toml", "chain-config/Cargo.toml", "evidence-store/Cargo.toml"] {
        let manifest_table: toml::Table = read(manifest).parse().unwrap();
        let needed = manifest_table["dependencies"].as_table().unwrap().keys();
        let missing = needed.filter(|name| !fuzzed.iter().any(|(known, _)| known == *name));
        breaches.extend(missing.map(|name| format!("{name} of {manifest} is not locked there")));
    }
    assert_clean(
        "fuzz/Cargo.lock (copy Cargo.lock over it, then `cargo metadata --manifest-path fuzz/Cargo.toml`)",
        &breaches,
    );
}
