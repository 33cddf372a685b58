//! The command line as users type it.

use clap::{CommandFactory, Parser};

use super::{Cli, Command, Exit};

fn parse(words: &[&str]) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(std::iter::once(&"tollgate").chain(words))
}

#[test]
fn the_declaration_is_consistent_and_every_command_has_an_example() {
    let command = Cli::command();
    command.clone().debug_assert();
    for sub in command.get_subcommands().filter(|sub| sub.get_name() != "version") {
        let help = sub.get_after_help().map(ToString::to_string).unwrap_or_default();
        assert!(help.contains(&format!("tollgate {}", sub.get_name())), "{} has no example", sub.get_name());
        for verb in sub.get_subcommands().filter(|verb| sub.get_name() != "secret" && verb.get_name() != "help") {
            let help = verb.get_after_help().map(ToString::to_string).unwrap_or_default();
            let begins = format!("tollgate {} {}", sub.get_name(), verb.get_name());
            assert!(help.contains(&begins), "{begins} has no example");
        }
    }
}

#[test]
fn serve_takes_files_and_a_wait_with_a_unit() {
    let cli = parse(&["serve", "--config", "a.toml", "--config", "/etc/tollgate", "--lock-wait", "30s"]).unwrap();
    let Command::Serve(args) = cli.command else { panic!("not serve") };
    assert_eq!((args.config.len(), args.lock_wait.as_secs()), (2, 30));
    for wrong in [&["serve"][..], &["serve", "--config", "a", "--lock-wait", "30"], &["serve", "--confg", "a"]] {
        assert_eq!(parse(wrong).unwrap_err().exit_code(), i32::from(Exit::Usage.code()), "{wrong:?}");
    }
}

#[test]
fn send_takes_a_file_or_an_example() {
    let cli = parse(&["send", "stripe-eu", "--example", "charge.succeeded", "--set", "a.b=1", "--set", "c=2"]).unwrap();
    let Command::Send(args) = cli.command else { panic!("not send") };
    assert_eq!((args.source.as_str(), args.set.len(), args.live), ("stripe-eu", 2, false));
    let neither = parse(&["send", "stripe-eu"]).unwrap_err().to_string();
    assert!(neither.contains("<--file <FILE>|--example <TYPE>>"), "{neither}");
    assert!(parse(&["send", "stripe-eu", "--file", "a", "--example", "b"]).is_err());
    assert!(parse(&["send", "stripe-eu", "--file", "a", "--set", "c=2"]).is_err());
}

#[test]
fn exit_codes_are_those_of_the_contract() {
    let codes = [Exit::Failed, Exit::Usage, Exit::Locked, Exit::Evidence, Exit::Newer].map(Exit::code);
    assert_eq!(codes, [1, 2, 3, 4, 5]);
}

#[test]
fn the_way_to_a_gateway_may_stand_before_or_after_the_verb() {
    for words in [
        &["deliveries", "--data", "d", "list", "-o", "json"][..],
        &["deliveries", "list", "--data", "d", "--config", "a", "--config", "b"],
        &["events", "show", "-", "--admin", "http://127.0.0.1:1"],
        &["status", "--disk", "-o", "wide"],
        &["jobs", "-o", "id", "list"],
        &["jobs", "list", "--data", "d"],
    ] {
        parse(words).unwrap_or_else(|error| panic!("{words:?}: {error}"));
    }
    for words in [
        &["events", "list", "--data", "d", "--admin", "http://127.0.0.1:1"][..],
        &["events", "list", "--config", "a"],
        &["forward", "test", "--data", "d"],
        &["events", "show"],
        &["events", "list", "-o", "yaml"],
    ] {
        assert_eq!(parse(words).unwrap_err().exit_code(), i32::from(Exit::Usage.code()), "{words:?}");
    }
}
