//! Proxies without a fee, and proxies that convert: whose address the event comes from decides whether it counts.

use super::*;

#[test]
fn proxies_without_a_fee_pay_as_those_with_one() {
    let token = [transfer(USDC, PAYER, PAYEE, HUNDRED), plain_token_event(PLAIN, USDC, PAYEE, HUNDRED, TOPIC)];
    let one = found(search_for(Rail::Reference(ours()), &token));
    assert_eq!((one.amount, one.fee, one.payer), (U256::from(HUNDRED), U256::ZERO, Some(PAYER)));
    assert_eq!(
        (one.emitter, one.fiat_unverified, slots(&one)),
        (Some(PLAIN), false, vec!["log:0".into(), "log:1".into()])
    );
    let coin = Search::of(Rail::Reference(ours()), &[None]);
    let one = found(coin.in_logs(&[plain_native_event(ETH_PLAIN, PAYEE, 42, TOPIC)]));
    assert_eq!((one.amount, one.token, slots(&one)), (U256::from(42), None, vec!["log:0".into()]));
}

#[test]
fn a_conversion_is_the_tokens_amount_and_says_that_no_rate_is_proven() {
    let logs = [
        transfer(USDC, PAYER, PAYEE, HUNDRED),
        transfer(USDC, PAYER, STRANGER, 1_000_000),
        token_event(CONVERSION, USDC, PAYEE, HUNDRED, TOPIC),
        converted(CONVERSION, TOPIC),
    ];
    let one = found(search_for(Rail::Reference(ours()), &logs));
    assert_eq!((one.amount, one.emitter, one.fiat_unverified), (U256::from(HUNDRED), Some(CONVERSION), true));
    assert_eq!(slots(&one), ["log:0", "log:2"]);
    let coin = Search::of(Rail::Reference(ours()), &[None]);
    let logs = [native_event(ETH_CONVERSION, PAYEE, 42, TOPIC), converted(ETH_CONVERSION, TOPIC)];
    let one = found(coin.in_logs(&logs));
    assert_eq!((one.amount, one.fiat_unverified, slots(&one)), (U256::from(42), true, vec!["log:0".into()]));
}

#[test]
fn one_conversion_in_a_sum_makes_the_sum_unproven_in_fiat() {
    let second = vec![transfer(USDC, PAYER, PAYEE, 5), token_event(CONVERSION, USDC, PAYEE, 5, TOPIC)];
    let logs = [proxy_payment(PAYEE, HUNDRED, TOPIC), second].concat();
    let sum = found(search_for(Rail::Reference(ours()), &logs));
    assert_eq!((sum.amount, sum.fiat_unverified), (U256::from(HUNDRED + 5), true));
}

#[test]
fn a_contract_is_believed_only_in_the_event_that_is_its_own() {
    // Every kind of event from every contract: only its own kinds count.
    let believed = |kind: &str, emitter: Address| match kind {
        "fee" => [PROXY, CONVERSION].contains(&emitter),
        "plain" => emitter == PLAIN,
        "escrow" => emitter == WRAPPER,
        "coin fee" => [ETH_PROXY, ETH_CONVERSION].contains(&emitter),
        "coin plain" => emitter == ETH_PLAIN,
        _ => false,
    };
    for emitter in [PROXY, ETH_PROXY, PLAIN, ETH_PLAIN, CONVERSION, ETH_CONVERSION, WRAPPER, STRANGER] {
        let events = [
            ("fee", Some(USDC), token_event(emitter, USDC, PAYEE, HUNDRED, TOPIC)),
            ("plain", Some(USDC), plain_token_event(emitter, USDC, PAYEE, HUNDRED, TOPIC)),
            ("escrow", Some(USDC), escrow_event(emitter, USDC, PAYEE, HUNDRED, raw_topic())),
            ("coin fee", None, native_event(emitter, PAYEE, HUNDRED, TOPIC)),
            ("coin plain", None, plain_native_event(emitter, PAYEE, HUNDRED, TOPIC)),
        ];
        for (kind, token, event) in events {
            let outcome =
                Search::of(Rail::Reference(ours()), &[token]).in_logs(&[transfer(USDC, PAYER, PAYEE, HUNDRED), event]);
            if believed(kind, emitter) {
                assert_eq!(found(outcome).emitter, Some(emitter), "{kind} of {emitter}");
            } else {
                assert_eq!(code(&outcome), Code::UntrustedEmitter, "{kind} of {emitter}");
            }
        }
    }
}

#[test]
fn through_a_forwarder_the_first_transfer_is_not_the_payment() {
    // A single-request proxy: the payer pays it, and it pays through the fee proxy.
    let forwarder = address!("0x4444444444444444444444444444444444444444");
    let logs = [
        transfer(USDC, PAYER, forwarder, HUNDRED + 1_000_000),
        transfer(USDC, forwarder, PAYEE, HUNDRED),
        transfer(USDC, forwarder, STRANGER, 1_000_000),
        token_event(PROXY, USDC, PAYEE, HUNDRED, TOPIC),
    ];
    let one = found(search_for(Rail::Reference(ours()), &logs));
    assert_eq!(
        (one.amount, one.payer, slots(&one)),
        (U256::from(HUNDRED), Some(forwarder), vec!["log:1".into(), "log:3".into()])
    );
    // Nor is the payment a direct one, whoever is taken for its payer.
    for payer in [Payer::Anyone, Payer::Is(PAYER), Payer::Is(forwarder)] {
        assert_eq!(code(&search_for(Rail::Direct(payer), &logs)), Code::WrongRecipient);
    }
}

#[test]
fn a_receivable_pays_whoever_holds_it() {
    let mut search = Search::of(Rail::Reference(ours()), &[Some(USDC)]);
    let receivable = address!("0x5555555555555555555555555555555555555555");
    let logs = |to| [transfer(USDC, PAYER, to, HUNDRED), token_event(receivable, USDC, to, HUNDRED, TOPIC)];
    assert_eq!(code(&search.in_logs(&logs(PAYEE))), Code::UntrustedEmitter);
    search.chain.contracts.transferable_receivable = vec![receivable];
    assert_eq!(slots(&found(search.in_logs(&logs(PAYEE)))), ["log:0", "log:1"]);
    assert_eq!(code(&search.in_logs(&logs(STRANGER))), Code::WrongRecipient, "it was sold");
}
