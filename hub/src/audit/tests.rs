use proptest::prelude::*;

use super::*;

type Row = (Entry, Vec<u8>);

/// What was written of these changes.
fn written(changes: &[Change]) -> (Vec<Row>, Chain) {
    let mut chain = Chain::EMPTY;
    let rows = changes.iter().map(|change| {
        let entry = change.numbered(chain.no + 1);
        let hash = entry.hash(&chain.hash);
        chain = Chain { no: entry.no, hash };
        (entry, hash.as_bytes().to_vec())
    });
    let rows = rows.collect();
    (rows, chain)
}

fn verified(rows: &[Row], head: Chain) -> Result<Chain, Broken> {
    let chain = rows.iter().try_fold(Chain::EMPTY, |chain, (entry, hash)| chain.and(entry, hash))?;
    chain.ends_with((head.no, head.hash.as_bytes()))
}

fn change() -> impl Strategy<Value = Change> {
    let site = proptest::option::of(Just("hz-01".parse::<SiteId>().unwrap()));
    let text = || proptest::option::of(".{0,6}");
    (any::<i32>(), ".{0,4}", site, ".{0,4}", ".{0,4}", text(), text()).prop_map(
        |(at, name, site, action, subject, before, after)| Change {
            at: Timestamp::from_millis(at.into()),
            who: Actor::person("id", &name),
            site,
            action,
            subject,
            before,
            after,
        },
    )
}

fn changes(most: usize) -> impl Strategy<Value = Vec<Change>> {
    proptest::collection::vec(change(), 3..most)
}

/// An entry of which one field is another.
fn edited(entry: &Entry, field: usize) -> Entry {
    let mut edited = entry.clone();
    let longer = |text: &Option<String>| Some(text.as_ref().map_or_else(String::new, |text| format!("{text}x")));
    match field {
        0 => edited.at = Timestamp::from_millis(entry.at.millis() + 1),
        1 => edited.actor.push('x'),
        2 => edited.actor_kind = "command".to_owned(),
        3 => edited.actor_id.push('x'),
        4 => edited.site = if entry.site.is_some() { None } else { Some(String::new()) },
        5 => edited.action.push('x'),
        6 => edited.subject.push('x'),
        7 => edited.before = longer(&entry.before),
        _ => edited.after = longer(&entry.after),
    }
    edited
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn what_was_written_is_whole(changes in changes(20)) {
        let (rows, head) = written(&changes);
        prop_assert_eq!(verified(&rows, head), Ok(head));
    }

    #[test]
    fn an_edit_of_any_field_is_found_with_its_number(changes in changes(20), at in any::<prop::sample::Index>(), field in 0..9_usize) {
        let (mut rows, head) = written(&changes);
        let at = at.index(rows.len());
        rows[at].0 = edited(&rows[at].0, field);
        prop_assert_eq!(verified(&rows, head), Err(Broken::Altered(rows[at].0.no)));
    }

    #[test]
    fn an_edit_whose_hash_was_made_anew_is_found_with_the_number_that_follows(
        changes in changes(20), at in any::<prop::sample::Index>(), field in 0..9_usize,
    ) {
        let (mut rows, head) = written(&changes);
        let at = at.index(rows.len());
        rows[at].0 = edited(&rows[at].0, field);
        let before = if at == 0 { Hash::START } else { Hash::from_bytes(&rows[at - 1].1).unwrap() };
        rows[at].1 = rows[at].0.hash(&before).as_bytes().to_vec();
        let found = verified(&rows, head).unwrap_err();
        let last = at + 1 == rows.len();
        prop_assert_eq!(found, if last { Broken::Head(head.no) } else { Broken::Altered(rows[at].0.no + 1) });
    }

    #[test]
    fn an_edit_of_a_hash_is_found_with_its_number(changes in changes(20), at in any::<prop::sample::Index>(), bit in 0..256_usize) {
        let (mut rows, head) = written(&changes);
        let at = at.index(rows.len());
        rows[at].1[bit / 8] ^= 1 << (bit % 8);
        prop_assert_eq!(verified(&rows, head), Err(Broken::Altered(rows[at].0.no)));
    }

    #[test]
    fn an_entry_that_is_gone_is_found_with_its_number(changes in changes(20), at in any::<prop::sample::Index>(), closed_up in any::<bool>()) {
        let (mut rows, head) = written(&changes);
        let at = at.index(rows.len() - 1);
        let (gone, _) = rows.remove(at);
        let mut expected = Broken::Missing(gone.no);
        if closed_up {
            for (entry, _) in &mut rows[at..] {
                entry.no -= 1;
            }
            expected = Broken::Altered(gone.no);
        }
        prop_assert_eq!(verified(&rows, head), Err(expected));
    }

    #[test]
    fn entries_that_are_gone_at_the_end_are_found_by_what_was_noted_last(changes in changes(20), left in any::<prop::sample::Index>()) {
        let (mut rows, head) = written(&changes);
        rows.truncate(left.index(rows.len()));
        let end = i64::try_from(rows.len()).unwrap();
        prop_assert_eq!(verified(&rows, head), Err(Broken::End { end, head: head.no }));
        prop_assert_eq!(verified(&rows, head).unwrap_err().no(), end + 1);
    }

    #[test]
    fn two_that_were_exchanged_are_found_with_the_number_of_the_first(
        changes in changes(20), one in any::<prop::sample::Index>(), other in any::<prop::sample::Index>(), renumbered in any::<bool>(),
    ) {
        let (mut rows, head) = written(&changes);
        let (one, other) = (one.index(rows.len()), other.index(rows.len()));
        prop_assume!(one != other && changes[one] != changes[other]);
        rows.swap(one, other);
        let first = i64::try_from(one.min(other)).unwrap() + 1;
        if renumbered {
            for (no, (entry, _)) in (1..).zip(&mut rows) {
                entry.no = no;
            }
        }
        prop_assert_eq!(verified(&rows, head).unwrap_err().no(), first);
    }

    #[test]
    fn an_entry_that_was_put_in_is_found(
        changes in changes(20), new in change(), at in any::<prop::sample::Index>(), renumbered in any::<bool>(),
    ) {
        let (mut rows, head) = written(&changes);
        let at = at.index(rows.len());
        let before = if at == 0 { Hash::START } else { Hash::from_bytes(&rows[at - 1].1).unwrap() };
        let no = i64::try_from(at).unwrap() + 1;
        let entry = new.numbered(no);
        // As well as it can be done: with its own hash right.
        let hash = entry.hash(&before).as_bytes().to_vec();
        rows.insert(at, (entry, hash));
        if renumbered {
            for (entry, _) in &mut rows[at + 1..] {
                entry.no += 1;
            }
        }
        let found = verified(&rows, head).unwrap_err();
        prop_assert_eq!(found, if renumbered { Broken::Altered(no + 1) } else { Broken::Repeated(no) });
    }

    #[test]
    fn no_two_entries_are_encoded_alike(one in change(), other in change()) {
        prop_assert_eq!(one == other, one.numbered(1).encoded() == other.numbered(1).encoded());
    }
}

#[test]
fn fields_do_not_run_into_each_other_and_what_is_empty_is_not_missing() {
    let here = Actor::here("li");
    let of = |action: &str, subject: &str| Change::new(&here, Timestamp::from_millis(1), action, subject);
    let all = [
        of("ab", "c"),
        of("a", "bc"),
        of("ab", "c").before(""),
        of("ab", "c").after(""),
        of("ab", "c").before("x"),
        of("ab", "c").after("x"),
    ];
    for (index, one) in all.iter().enumerate() {
        for other in &all[index + 1..] {
            assert_ne!(one.numbered(1).hash(&Hash::START), other.numbered(1).hash(&Hash::START), "{one:?} {other:?}");
        }
    }
}

#[test]
fn the_encoding_is_the_one_of_every_version_since_the_first() {
    let site = "hz-01".parse().unwrap();
    let change =
        Change::new(&Actor::person("p1", "李工"), Timestamp::from_millis(1_795_140_000_000), "ticket.accept", "T-1");
    let entry = change.of_site(Some(&site)).before("new").after("accepted").numbered(1);
    assert_eq!(
        entry.hash(&Hash::START).to_string(),
        "7ad0d89c3a0cea7c9629c0f5733af36e849b01f5f65db3efedf40da96a8d5fc7"
    );
}
