//! Behaviours that every event store has, and the stores that are held to them.

use std::sync::{Arc, Mutex};

use horizon_store::{EventStore, Store};
use tempfile::TempDir;

use crate::memory::{Kept, MemoryStore};

macro_rules! behaviours {
    ($($area:ident { $($behaviour:ident)+ })+) => {
        $(pub(crate) mod $area;)+

        /// The store itself.
        mod on_disk {
            $(mod $area {
                $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $behaviour() {
                    super::super::$area::$behaviour(super::super::OnDisk::default()).await;
                })+
            })+
        }

        /// The plain one in memory.
        mod in_memory {
            $(mod $area {
                $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $behaviour() {
                    super::super::$area::$behaviour(super::super::InMemory::default()).await;
                })+
            })+
        }
    };
}

behaviours! {
    append {
        positions_and_revisions_count_from_one_without_gaps
        an_expectation_that_does_not_hold_stores_nothing_and_tells_the_actual_revision
        a_commit_over_several_streams_is_all_or_nothing
        a_stream_that_is_only_checked_can_refuse_a_commit
        everything_of_an_event_comes_back_as_it_was_sent
        what_is_over_a_limit_or_malformed_is_refused_by_name_and_stores_nothing
        system_records_take_positions_of_the_log
        logs_are_apart
    }
    idempotency {
        a_commit_sent_again_is_answered_as_the_first_time_for_good
        a_mark_stays_as_it_was_first_and_is_no_part_of_the_content
        attributes_in_another_order_are_the_same_content
        any_other_overlap_is_a_conflict_that_tells_each_events_state
        the_same_id_under_another_source_is_another_event
        the_same_commit_from_many_at_once_is_stored_once
    }
    reading {
        a_stream_is_read_in_pages_that_resume
        a_log_is_read_in_pages_that_resume
        a_limit_of_bytes_is_kept_and_one_record_is_returned_at_least
        a_category_is_read_with_the_place_to_go_on_from
        who_waits_is_woken_by_commits_and_sees_each_event_once
    }
    crossing {
        a_crossing_is_read_back_whole_and_survives_a_restart
        the_last_event_of_a_key_and_type_is_known
        cursors_and_public_streams_are_apart
        who_waits_for_a_public_stream_is_woken_by_crossings
        a_public_stream_is_read_in_pages_that_resume
        several_cursors_move_in_one_crossing_or_none_does
    }
    crossing_refused {
        a_crossing_from_another_place_than_the_cursors_writes_nothing
        a_sequence_that_is_not_the_next_one_writes_nothing
        what_cannot_be_is_refused_and_writes_nothing
        a_long_reason_is_cut_between_two_characters
    }
    reading_back {
        a_log_is_read_backwards_in_pages_that_resume
        what_is_selected_is_read_in_both_directions
        a_backward_page_keeps_the_limit_of_bytes_and_has_one_record_at_least
        a_stream_is_read_backwards_in_pages_that_resume
        the_last_event_of_a_stream_is_known
        the_streams_of_a_category_are_listed_in_pages
        a_stream_with_many_events_is_listed_once
    }
    subscribe {
        many_subscribers_see_each_position_once_and_in_order
        a_subscriber_that_waits_is_woken_and_a_dropped_wait_loses_nothing
        a_subscription_begins_after_any_position
        a_public_stream_is_followed
        subscriptions_end_when_the_store_is_closed
    }
    parking {
        what_is_parked_is_read_in_pages
        a_mended_key_leaves_in_order_with_what_became_of_it
        who_is_not_the_first_or_not_there_stays_and_nothing_is_done
        an_outcome_that_cannot_be_is_refused
        a_long_reason_to_skip_is_cut_between_two_characters
        entries_that_leave_a_relay_are_counted_as_what_became_of_them
        calls_that_are_written_together_see_each_other
    }
    relay {
        a_settlement_tells_what_became_of_each_event
        a_settlement_from_another_place_than_the_cursors_writes_nothing
        what_cannot_be_settled_is_refused_and_writes_nothing
    }
}

/// Where a store lives: opened again after it was closed, it is the same store.
pub(crate) trait Home {
    type Store: EventStore;

    async fn open(&self) -> Self::Store;
}

/// A folder of its own.
pub(crate) struct OnDisk(TempDir);

impl Default for OnDisk {
    fn default() -> Self {
        Self(tempfile::tempdir().unwrap())
    }
}

impl Home for OnDisk {
    type Store = Store;

    async fn open(&self) -> Store {
        crate::build::open(&self.0).await
    }
}

/// What a store in memory keeps.
#[derive(Default)]
pub(crate) struct InMemory(Arc<Mutex<Kept>>);

impl Home for InMemory {
    type Store = MemoryStore;

    async fn open(&self) -> MemoryStore {
        MemoryStore::open(&self.0)
    }
}
