//! What every engine of the ledger must do, written against the interface alone: a second engine passes the same
//! scenarios unchanged. Each scenario is named after the rule it holds.
//!
//! An engine's test module calls [`suite`] with its [`Rig`].

use std::sync::Arc;

use super::Ledger;

pub(super) mod backend;
pub(super) mod chain;
pub(super) mod claims;
pub(super) mod confirm;
pub(super) mod fixtures;
pub(super) mod follow;
pub(super) mod handling;
pub(super) mod intake;
pub(super) mod jobs;
pub(super) mod lanes;
pub(super) mod operate;
pub(super) mod orphans;
pub(super) mod outbox;
pub(super) mod races;
pub(super) mod reading;
pub(super) mod removal;
pub(super) mod resend;
pub(super) mod scan;
pub(super) mod twins;
pub(super) mod wake;

/// An engine under test, with an empty ledger of its own.
pub(super) trait Rig: Sized {
    /// A fresh one.
    fn open() -> Self;
    /// The engine.
    fn ledger(&self) -> Arc<dyn Ledger>;
    /// Ends the engine, with no [`Rig::ledger`] left outside, and opens it again on the same data.
    fn restart(self) -> Self;
}

macro_rules! suite {
    ($rig:ty) => {
        $crate::ledger::conformance::suite!(@all $rig;
            intake::a_batch_makes_events_and_moves_the_cursor
            intake::a_batch_taken_twice_writes_nothing
            intake::a_batch_that_does_not_follow_is_refused
            intake::a_restored_log_read_from_its_start_changes_nothing
            intake::rule_8_a_test_delivery_changes_no_event
            intake::an_ended_event_is_held_or_ignored
            intake::an_ended_copy_of_a_known_event_changes_nothing
            intake::a_genuine_claim_frees_an_event_held_from_the_start
            intake::rule_33_a_copy_that_a_filter_left_out_does_not_silence_the_genuine_claim
            intake::a_plain_message_is_due_at_once
            intake::a_message_for_nobody_settles
            claims::rule_4_a_repeat_adds_a_delivery_only
            claims::rule_4_a_new_claim_sends_an_unconfirmed_event_back
            claims::rule_4_a_new_claim_frees_a_held_and_a_refuted_event
            claims::rule_4_a_new_claim_on_a_confirmed_event_is_a_mismatch
            claims::rule_33_every_network_that_was_claimed_is_known
            claims::claim_versions_of_one_event_have_a_limit
            twins::rule_3_thin_first_waits_for_its_snapshot
            twins::rule_3_a_snapshot_takes_over_before_the_grace_ends
            twins::rule_3_a_snapshot_claim_takes_over
            twins::rule_3_snapshot_first_then_thin_is_a_delivery
            twins::rule_3_a_snapshot_after_the_thin_message_is_the_next_message
            twins::rule_3_a_snapshot_replaces_an_unsent_thin_message
            confirm::a_judgement_of_an_old_version_is_stale
            confirm::a_judgement_against_an_old_expectation_is_stale
            confirm::rule_13_an_expectation_that_came_meanwhile_is_seen
            confirm::a_confirmation_claims_sums_and_sends
            confirm::unmatched_money_has_no_expectation
            confirm::rule_5_the_same_expectation_joins
            confirm::rule_5_the_same_reference_joins
            confirm::rule_5_another_reference_is_already_claimed
            confirm::a_proven_receipt_under_two_hashes_is_one_payment
            confirm::a_panic_while_rendering_undoes_the_confirmation
            confirm::verdicts_count_looks_and_are_traced_once
            confirm::a_verdict_cannot_break_the_state_table
            confirm::rule_16_partial_completed_excess
            confirm::a_second_way_to_pay_is_excess
            confirm::dust_is_reported_and_moves_no_state
            backend::a_put_is_created_same_replaced_or_refused
            backend::rule_12_one_open_expectation_a_key
            backend::rule_13_a_direct_expectation_takes_no_older_transfer
            backend::rule_17_no_change_after_a_claim
            backend::rule_17_a_deadline_ends_what_is_open
            backend::a_cancelled_one_can_be_put_again
            backend::rule_28_the_audit_says_who_put_and_cancelled
            backend::pages_of_expectations_follow_each_other
            backend::rule_11_a_shared_recipient_is_noticed
            wake::rule_13_a_put_wakes_what_it_names
            wake::rule_13_a_put_makes_a_judgement_in_flight_stale
            wake::rule_33_a_reference_counts_before_a_request_id
            wake::a_put_wakes_nothing_of_another_realm
            wake::a_put_wakes_by_provider_object
            outbox::an_attempt_has_intent_and_result
            outbox::only_what_is_due_may_be_sent
            outbox::rule_20_an_old_anchor_is_looked_at_first
            outbox::rule_20_after_an_intent_the_anchor_is_not_asked_again
            outbox::an_event_is_forwarded_when_every_destination_has_it
            outbox::a_dead_message_makes_a_dead_event
            outbox::a_result_recorded_twice_counts_once
            outbox::responses_are_cut
            outbox::attempts_are_listed_newest_first_and_page_by_page
            lanes::one_message_a_lane_in_order
            lanes::rule_21_a_dead_message_parks_and_the_lane_goes_on
            lanes::a_retry_holds_its_lane_and_no_other
            lanes::destinations_have_lanes_of_their_own
            lanes::a_crash_leaves_nothing_in_flight
            lanes::due_work_is_found_after_a_restart
            lanes::rule_21_outages_are_known_after_a_restart
            orphans::rule_19_an_anchor_lost_before_an_intent_supersedes
            orphans::rule_14_a_tombstone_blocks_others_and_not_its_own_event
            orphans::rule_33_a_joined_claim_does_not_say_what_a_lost_payment_is_for
            orphans::rule_14_re_anchoring_moves_the_claim
            orphans::a_lost_payment_leaves_the_sum
            orphans::what_was_judged_after_a_lost_payment_is_judged_again
            orphans::a_block_that_changed_is_a_lost_anchor
            orphans::an_unanswered_look_leaves_the_message_waiting
            orphans::a_reopened_expectation_does_not_take_a_key_twice
            chain::rule_19_a_forwarded_payment_is_retracted_once
            chain::rule_19_a_message_in_flight_is_retried_no_more_and_the_retraction_takes_its_place
            chain::rule_19_what_was_never_sent_is_not_retracted
            chain::rule_16_a_retraction_leaves_a_sum_that_is_still_complete_complete
            chain::a_retracted_payment_is_reinstated_under_its_own_id
            chain::rule_14_a_forwarded_payment_moves_to_its_new_block
            chain::what_waits_for_a_height_is_woken_by_it_and_by_nothing_before
            chain::what_waits_for_more_than_it_has_to_is_woken_and_judged_anew
            chain::what_stands_on_lost_blocks_is_woken_whatever_it_waits_for
            chain::a_retracted_payment_that_waits_elsewhere_is_woken_when_that_is_lost_too
            chain::what_is_seen_of_a_retracted_payment_while_blocks_are_lost_is_not_written
            chain::a_payment_whose_block_is_lost_on_its_way_to_the_backend_is_looked_at_when_it_is_there
            chain::no_more_is_at_risk_on_a_chain_than_is_allowed
            chain::finality_and_cordons_are_set_once_and_audited
            scan::what_is_open_or_ended_lately_is_watched
            scan::a_cursor_moves_only_from_where_it_stands
            scan::rule_6_a_find_makes_one_event_with_the_transfers_id
            scan::rule_5_a_late_webhook_joins_what_a_scan_found
            scan::rule_5_what_a_webhook_announced_is_not_found_again
            scan::rule_33_a_copy_that_a_filter_left_out_hides_no_money
            scan::rule_11_a_direct_find_stays_with_its_expectation
            scan::what_does_not_add_up_is_told
            scan::rule_6_a_submission_and_a_find_of_one_transfer_are_one_event
            races::a_hundred_events_for_one_transfer_send_once
            races::a_hundred_events_of_one_expectation_send_once
            races::a_hundred_judgements_of_one_event_send_once
            races::random_partials_complete_exactly_once
            races::intake_is_idempotent_under_concurrent_copies
            reading::filters_find_what_they_name
            reading::pages_are_stable_while_rows_come_in
            reading::one_string_finds_what_is_known_by_it
            reading::rows_that_change_while_a_list_is_paged_are_shown_once
            reading::a_cursor_that_is_none_is_refused
            reading::ids_of_a_range_come_with_their_source
            reading::an_event_shows_all_that_happened
            reading::counts_follow_the_states
            follow::a_ledger_keeps_its_identity
            follow::rule_28_decisions_have_numbers_without_gaps
            follow::a_follower_beside_writers_misses_no_decision
            follow::rule_25_the_feed_is_in_commit_order_and_repeats_nothing
            follow::rule_19_what_the_feed_handed_out_counts_as_forwarded
            follow::a_superseded_message_is_not_in_the_feed
            follow::rule_25_an_acknowledgement_delivers_what_was_handed_out
            operate::a_pause_of_everything_holds_everything_across_a_restart
            operate::a_pause_of_a_destination_holds_no_other
            operate::a_pause_of_a_source_holds_no_other
            operate::an_attempt_in_flight_ends_in_a_pause
            operate::a_pause_needs_a_name
            operate::rule_28_the_audit_says_who_did_what
            operate::the_audit_takes_whatever_was_done
            handling::rule_24_only_some_codes_are_accepted_and_what_was_accepted_is_known
            handling::rule_24_what_was_sent_is_neither_closed_nor_attached
            jobs::a_job_goes_on_where_it_stood_after_a_restart
            jobs::one_job_of_a_kind_runs
            jobs::a_job_that_is_cancelled_takes_no_further_step
            jobs::jobs_are_forgotten_and_never_a_running_one
            resend::rule_21_dead_messages_come_back_with_their_bytes_and_their_order
            resend::what_was_taken_is_sent_again_to_the_destination_that_lost_it
            resend::rule_22_a_new_version_is_above_the_one_a_backend_holds
            resend::rule_19_what_was_lost_or_superseded_is_not_sent_again
            resend::an_event_stays_dead_while_one_destination_gave_it_up
            resend::rule_23_a_replay_adds_to_the_trace_or_has_it_judged_again
            removal::rule_7_only_what_is_at_its_end_may_go
            removal::rule_7_a_stub_says_all_that_must_stay
            removal::what_left_the_log_stays_known
            removal::rule_26_retention_follows_the_log_that_is_read
            removal::a_snapshot_is_one_moment_while_writers_go_on
        );
    };
    (@all $rig:ty; $($topic:ident::$scenario:ident)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $scenario() {
                $crate::ledger::conformance::$topic::$scenario(
                    <$rig as $crate::ledger::conformance::Rig>::open()
                ).await;
            }
        )*
    };
}
pub(super) use suite;
