//! How the throttle counts, one moment after the other.

use super::*;

const MIB: u64 = 1024 * 1024;

fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(1_000_000 + millis)
}

fn stream(name: &str) -> StreamArn {
    format!("arn:aws:kinesis:us-east-1:000000000000:stream/{name}")
        .parse()
        .expect("an ARN")
}

fn admitted(throttle: &mut Throttle, count: u32, bytes: u64, now: Timestamp) -> u32 {
    (0..count)
        .map(|_| u32::from(throttle.admit_write(0, bytes, MIB, now)))
        .sum()
}

#[test]
fn a_shard_takes_a_thousand_records_and_one_more_each_millisecond() {
    let mut throttle = Throttle::default();
    assert_eq!(admitted(&mut throttle, 1500, 1, at(0)), 1000);
    assert_eq!(admitted(&mut throttle, 10, 1, at(1)), 1);
    assert_eq!(admitted(&mut throttle, 1500, 1, at(501)), 500);
    assert_eq!(admitted(&mut throttle, 1500, 1, at(60_000)), 1000);
}

#[test]
fn a_shard_takes_a_mebibyte_and_a_smaller_record_may_pass_a_refused_one() {
    let mut throttle = Throttle::default();
    let sizes = [900_000, 200_000, 100_000, 100_000, 48_576, 1];
    let answers = sizes.map(|bytes| throttle.admit_write(0, bytes, MIB, at(0)));
    assert_eq!(answers, [true, false, true, false, true, false]);
    assert!(
        throttle.admit_write(1, MIB, MIB, at(0)),
        "each shard has its own"
    );
}

#[test]
fn a_record_larger_than_a_second_of_the_rate_is_paid_off_afterwards() {
    let mut throttle = Throttle::default();
    let record_max = 10 * MIB;
    assert!(throttle.admit_write(0, record_max, record_max, at(0)));
    assert!(!throttle.admit_write(0, 1100, record_max, at(1)));
    assert!(throttle.admit_write(0, MIB, record_max, at(1000)));
    assert!(!throttle.admit_write(0, record_max, record_max, at(10_000)));
    assert!(throttle.admit_write(0, record_max, record_max, at(11_000)));
}

#[test]
fn a_shard_that_was_read_first_still_has_room_for_its_largest_record() {
    let mut throttle = Throttle::default();
    assert!(throttle.admit_read(0, at(0)));
    assert!(throttle.admit_write(0, 10 * MIB, 10 * MIB, at(0)));
}

#[test]
fn a_refused_record_takes_nothing() {
    let mut throttle = Throttle::default();
    assert!(throttle.admit_write(0, 10, MIB, at(0)));
    let before = throttle.clone();
    assert!(!throttle.admit_write(0, MIB, MIB, at(0)));
    assert_eq!(throttle, before);
}

#[test]
fn a_shard_is_read_five_times_a_second() {
    let mut throttle = Throttle::default();
    let answers = [0, 0, 0, 0, 0, 0, 199, 200, 200].map(|t| throttle.admit_read(0, at(t)));
    assert_eq!(
        answers,
        [true, true, true, true, true, false, false, true, false]
    );
    let answers = [0, 0, 0, 0, 0, 0, 200].map(|t| throttle.admit_iterator(0, at(t)));
    assert_eq!(answers, [true, true, true, true, true, false, true]);
}

#[test]
fn a_consumer_subscribes_to_each_shard_once_a_second() {
    let mut throttle = Throttle::default();
    let mut subscribe =
        |consumer, shard, millis| throttle.admit_subscribe(consumer, ShardId(shard), at(millis));
    let answers = [0, 0, 999, 1000, 1001, 1999, 5000, 5001].map(|t| subscribe(1, 0, t));
    assert_eq!(
        answers,
        [true, false, false, true, false, false, true, false]
    );
    assert!(subscribe(1, 1, 5001), "another shard");
    assert!(subscribe(2, 0, 5001), "another consumer");
}

#[test]
fn a_page_of_ten_mebibytes_shuts_the_shard_for_five_seconds() {
    let mut throttle = Throttle::default();
    assert!(throttle.admit_read(0, at(0)));
    throttle.charge_read(0, 10 * MIB, at(0));
    assert!(!throttle.admit_read(0, at(1)));
    assert!(!throttle.admit_read(0, at(4999)));
    assert!(throttle.admit_read(0, at(5001)));
}

#[test]
fn pages_within_the_rate_do_not_shut_the_shard() {
    let mut throttle = Throttle::default();
    for call in 0..100 {
        assert!(throttle.admit_read(0, at(call * 250)), "call {call}");
        throttle.charge_read(0, MIB / 2, at(call * 250));
    }
}

#[test]
fn a_mapping_reads_for_a_second_on_one_of_the_five_calls() {
    let mut throttle = Throttle::default();
    for millis in [0, 0, 1, 500, 999] {
        assert_eq!(throttle.admit_mapping(0, "a", false, at(millis)), Ok(()));
    }
    let left = (0..10).map(|_| u32::from(throttle.admit_read(0, at(999))));
    assert_eq!(left.sum::<u32>(), 5, "its call has come back");
    assert_eq!(throttle.admit_mapping(0, "a", false, at(999)), Ok(()));
    let later = Err(at(1199));
    assert_eq!(throttle.admit_mapping(0, "a", false, at(1000)), later);
    assert_eq!(throttle.admit_mapping(0, "b", false, at(1000)), later);
    assert_eq!(throttle.admit_mapping(0, "b", false, at(1199)), Ok(()));
    assert_eq!(
        throttle.admit_mapping(0, "a", false, at(1199)),
        Err(at(1399))
    );
    assert_eq!(throttle.admit_mapping(1, "a", false, at(1199)), Ok(()));
    assert!(!throttle.admit_read(0, at(1199)), "the others have less");
}

#[test]
fn a_mapping_waits_for_what_it_and_others_have_read() {
    let mut throttle = Throttle::default();
    assert_eq!(throttle.admit_mapping(0, "a", false, at(0)), Ok(()));
    throttle.charge_read(0, 10 * MIB, at(0));
    for millis in [0, 1, 5000] {
        let refused = throttle.admit_mapping(0, "a", false, at(millis));
        assert_eq!(refused, Err(at(5500)), "at {millis}");
        assert!(!throttle.admit_read(0, at(millis)));
    }
    assert!(throttle.admit_read(0, at(5001)), "who polls finds it open");
    let first = throttle.admit_mapping(0, "a", false, at(5001));
    assert_eq!(first, Err(at(5500)));
    let waited = throttle.admit_mapping(0, "a", true, at(5001));
    assert_eq!(waited, Ok(()), "it takes what there is");
    throttle.charge_read(0, 4 * MIB, at(5001));
    let refused = throttle.admit_mapping(0, "a", true, at(5001));
    assert_eq!(refused, Err(at(7002)), "the call lasts, the bytes are gone");
}

#[test]
fn a_mapping_with_a_backlog_gets_all_bytes_of_a_shard_that_nobody_else_reads() {
    let mut throttle = Throttle::default();
    let (mut now, mut pages) = (at(0), 0);
    while now < at(60_000) {
        match throttle.admit_mapping(0, "a", false, now) {
            Ok(()) => {
                throttle.charge_read(0, MAPPING_PAGE_BYTES, now);
                pages += 1;
            }
            Err(again) => now = again,
        }
    }
    assert_eq!(
        pages,
        2 + 2 * 60 - 1,
        "a full bucket, and two pages a second"
    );
}

#[test]
fn a_mapping_with_a_backlog_leaves_reads_to_who_polls_once_a_second() {
    let mut throttle = Throttle::default();
    let (mut again, mut has_waited, mut polled) = (at(0), false, 0);
    for millis in 0..60_000 {
        let now = at(millis);
        if millis % 1000 == 333 && throttle.admit_read(0, now) {
            throttle.charge_read(0, MIB, now);
            polled += 1;
        }
        if now >= again {
            let admitted = throttle.admit_mapping(0, "a", has_waited, now);
            has_waited = admitted.is_err();
            match admitted {
                Ok(()) => throttle.charge_read(0, MAPPING_PAGE_BYTES, now),
                Err(later) => again = later,
            }
        }
    }
    assert!(polled >= 30, "{polled} of 60 polls were answered");
}

#[test]
fn a_call_of_a_mapping_is_remembered_while_it_lasts_and_not_past_a_step_back() {
    let mut throttle = Throttle::default();
    assert!(throttle.admit_read(0, at(0)));
    assert_eq!(throttle.admit_mapping(0, "a", false, at(40_000)), Ok(()));
    throttle.forget(at(40_999), |_| true);
    assert_eq!(throttle.shards.len(), 1, "its buckets are full");
    assert_eq!(throttle.admit_mapping(0, "a", false, at(10)), Ok(()));
    assert_eq!(throttle.shards[&0].mapping_calls["a"], at(10));
    throttle.forget(at(31_000), |_| true);
    assert_eq!(throttle.shards.len(), 0);
}

#[test]
fn a_clock_that_steps_back_neither_stops_nor_overfills_a_bucket() {
    let mut throttle = Throttle::default();
    assert_eq!(admitted(&mut throttle, 2000, 1, at(100_000)), 1000);
    assert_eq!(admitted(&mut throttle, 10, 1, at(0)), 0);
    assert_eq!(admitted(&mut throttle, 1000, 1, at(100)), 100);
    assert_eq!(admitted(&mut throttle, 2000, 1, at(200_000)), 1000);
}

#[test]
fn control_rates_count_per_account_or_per_stream() {
    let mut throttle = Throttle::default();
    let mut calls = |operation, names: &[&str]| {
        let answers = names
            .iter()
            .map(|name| u32::from(throttle.admit_control(operation, &stream(name), at(0))));
        answers.sum::<u32>()
    };
    let names = ["a", "b", "a", "b", "a", "b", "a", "b", "a", "b", "a", "b"];
    assert_eq!(calls(ControlOperation::CreateStream, &names), 5);
    assert_eq!(calls(ControlOperation::SplitShard, &names), 10);
    assert_eq!(calls(ControlOperation::DescribeStream, &names), 10);
}

#[test]
fn what_is_gone_or_full_again_is_forgotten() {
    let mut throttle = Throttle::default();
    assert!(throttle.admit_read(0, at(0)) && throttle.admit_read(1, at(0)));
    assert!(throttle.admit_control(ControlOperation::ListStreams, &stream("s"), at(0)));
    assert!(throttle.admit_subscribe(1, ShardId(0), at(0)));
    let kept = |throttle: &Throttle| {
        let (shards, subscribes) = (&throttle.shards, &throttle.subscribes);
        (shards.len(), subscribes.len(), throttle.control.len())
    };
    throttle.forget(at(10), |partition| partition == 1);
    assert_eq!(kept(&throttle), (1, 1, 1));
    throttle.forget(at(1000), |_| true);
    assert_eq!(kept(&throttle), (1, 0, 0));
    throttle.forget(at(30_000), |_| true);
    assert_eq!(
        throttle.shards.len(),
        0,
        "a shard that is idle costs nothing"
    );
}

#[test]
fn a_shard_that_is_not_full_again_is_not_forgotten() {
    let mut throttle = Throttle::default();
    assert!(throttle.admit_read(0, at(0)));
    for _ in 0..10 {
        throttle.charge_read(0, 10 * MIB, at(0));
    }
    throttle.forget(at(30_000), |_| true);
    assert!(
        !throttle.admit_read(0, at(30_000)),
        "50 seconds are to be paid off"
    );
    throttle.forget(at(60_001), |_| true);
    assert!(throttle.admit_read(0, at(60_001)));
}
