use super::*;

const ALICE: AccountNumber = 1;
const BALANCE: Location = Location::Balance(ALICE);

fn set(value: u64) -> Write {
    Write::Set(U256::from(value))
}

fn add(value: u64) -> Write {
    Write::Add(U256::from(value))
}

fn written(writes: &[(TxIndex, Location, Write)]) -> Memory {
    let memory = Memory::new(2, 1);
    for (tx, location, write) in writes {
        memory.publish(*tx, &vec![], &vec![(*location, *write)]);
    }
    memory
}

fn read(memory: &Memory, location: Location, tx: TxIndex) -> u64 {
    let observed = memory.read(location, tx).expect("no estimates here");
    observed.over(U256::from(1_000)).to()
}

#[test]
fn a_reader_sees_the_closest_lower_write() {
    let memory = written(&[(1, BALANCE, set(10)), (3, BALANCE, set(30))]);
    let seen: Vec<_> = (0..5).map(|tx| read(&memory, BALANCE, tx)).collect();
    assert_eq!(seen, [1_000, 1_000, 10, 10, 30]);
}

#[test]
fn additions_sum_up_to_the_closest_set() {
    let memory = written(&[(0, BALANCE, add(1)), (1, BALANCE, set(10)), (2, BALANCE, add(5))]);
    assert_eq!(read(&memory, BALANCE, 1), 1_001);
    assert_eq!(read(&memory, BALANCE, 3), 15);
}

#[test]
fn an_estimate_blocks_higher_readers_only() {
    let memory = written(&[(2, BALANCE, set(10))]);
    memory.mark_estimates(2, &vec![(BALANCE, set(10))]);
    assert_eq!(memory.read(BALANCE, 3), Err(Blocked { on: 2 }));
    assert_eq!(read(&memory, BALANCE, 2), 1_000);
}

#[test]
fn a_slot_below_an_emptied_storage_is_zero_until_it_is_written_again() {
    for slot in [Location::Slot(ALICE, 0), Location::OtherSlot(ALICE, U256::ONE)] {
        a_slot_is_emptied(slot);
    }
}

fn a_slot_is_emptied(slot: Location) {
    let memory = written(&[(1, slot, set(7)), (3, Location::Storage(ALICE), set(1))]);
    assert_eq!(read(&memory, slot, 3), 7);
    assert_eq!(read(&memory, slot, 4), 0);
    let emptied_and_written = vec![(Location::Storage(ALICE), set(1)), (slot, set(9))];
    memory.publish(5, &vec![], &emptied_and_written);
    assert_eq!(read(&memory, slot, 6), 9);
}

#[test]
fn a_publication_replaces_the_one_before() {
    let nonce = Location::Nonce(ALICE);
    let memory = Memory::new(2, 1);
    let first = vec![(BALANCE, set(1)), (nonce, set(2))];
    assert_eq!(memory.publish(0, &vec![], &first), ReaderSet::EMPTY);
    memory.mark_estimates(0, &first);
    memory.note_reader(BALANCE, 1);
    assert_eq!(memory.publish(0, &first, &first), ReaderSet::EMPTY, "the writes are the same");
    let second = vec![(BALANCE, set(1))];
    assert_eq!(
        memory.publish(0, &first, &second),
        ReaderSet::by(1),
        "the nonce's write was removed"
    );
    assert_eq!(read(&memory, nonce, 1), 1_000);
}

#[test]
fn a_publication_returns_the_readers_of_changed_values() {
    for location in [BALANCE, Location::Slot(ALICE, 0)] {
        let memory = Memory::new(2, 1);
        let publish = |before, writes| memory.publish(3, before, writes);
        let (nothing, one, two) = (vec![], vec![(location, set(1))], vec![(location, set(2))]);
        assert_eq!(publish(&nothing, &one), ReaderSet::EMPTY);
        memory.note_reader(location, 4);
        memory.note_reader(Location::Code(ALICE), 5);
        assert_eq!(publish(&one, &one), ReaderSet::EMPTY);
        assert_eq!(publish(&one, &two), ReaderSet::by(4));
        memory.note_reader(location, 9);
        assert_eq!(publish(&two, &nothing), ReaderSet::by(4).and(ReaderSet::by(9)));
    }
}

#[test]
fn writers_near_returns_the_closest_writers_of_a_slot() {
    let slot = Location::Slot(ALICE, 0);
    let near = |writers: &[TxIndex], tx| {
        let writes: Vec<_> = writers.iter().map(|writer| (*writer, slot, set(1))).collect();
        let mut near = Vec::new();
        written(&writes).writers_near(slot, tx, |writer| near.push(writer));
        near
    };
    assert_eq!(near(&[7, 2], 5), [2, 7], "a higher writer may have started early");
    assert_eq!(
        near(&[10, 11, 12, 13, 14, 15, 16, 17, 18, 19], 15),
        [11, 12, 13, 14, 15, 16, 17, 18]
    );
    assert!(near(&[], 5).is_empty());
}

#[test]
fn a_reused_memory_is_empty() {
    let at: [fn(AccountNumber) -> Location; 6] = [
        Location::Balance,
        Location::Nonce,
        Location::Code,
        Location::Storage,
        |account| Location::Slot(account, account),
        |account| Location::OtherSlot(account, U256::ONE),
    ];
    let mut memory = Memory::default();
    for count in [4, 2, 4, 1] {
        memory = memory.start_over(count, count);
        let locations = || (0..count).flat_map(|account| at.map(|at| at(account as u32)));
        for location in locations() {
            assert_eq!(memory.read(location, AFTER_ALL), Ok(Observed::default()));
            assert_eq!(memory.settled(location), Observed::default());
            assert_eq!(memory.last_writer(location, AFTER_ALL), None);
            memory.writers_near(location, count, |writer| panic!("{writer} wrote"));
            assert!([ReaderSet::EMPTY, ReaderSet::ALL].contains(&memory.readers(location)));
        }
        assert_eq!(memory.written_others(), []);
        for location in locations() {
            memory.note_reader(location, 3);
            let writes = vec![(location, add(1))];
            memory.publish(count, &vec![], &writes);
            assert_eq!(memory.settled(location).added, Some(U256::ONE));
        }
        memory.close(count);
    }
}

#[cfg(target_pointer_width = "64")]
#[test]
fn a_location_with_one_write_takes_one_cache_line() {
    assert_eq!(Table::<Versions>::ENTRY_BYTES, 64);
}

#[test]
fn rarely_written_locations_count_as_read_by_all() {
    let (code, other) = (Location::Code(ALICE), Location::OtherSlot(ALICE, U256::ONE));
    for location in [code, other, Location::Storage(ALICE)] {
        let publication = Memory::new(2, 1).publish(3, &vec![], &vec![(location, set(1))]);
        assert_eq!(publication, ReaderSet::ALL);
    }
}
