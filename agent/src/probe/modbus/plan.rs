//! Which registers are read together: as few requests as possible, because each costs a turn of the bus.

use super::register::Function;

/// Registers between two wanted ones that are cheaper to read along than to ask around.
const MAX_GAP: u32 = 8;

/// Where a value stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Extent {
    pub(super) function: Function,
    pub(super) address: u16,
    pub(super) count: u16,
}

/// One request, and the values it brings, as indexes of the extents it was planned for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Block {
    pub(super) function: Function,
    pub(super) address: u16,
    pub(super) count: u16,
    pub(super) members: Vec<usize>,
}

/// The requests that read every extent.
pub(super) fn plan(extents: &[Extent]) -> Vec<Block> {
    group(extents, (0..extents.len()).collect(), MAX_GAP)
}

fn group(extents: &[Extent], mut members: Vec<usize>, gap: u32) -> Vec<Block> {
    members.sort_by_key(|member| (extents[*member].function, extents[*member].address));
    let mut blocks: Vec<Block> = Vec::new();
    for member in members {
        let extent = extents[member];
        match blocks.last_mut() {
            Some(block) if block.reaches(extent, gap) => {
                let end = block.end().max(end(extent.address, extent.count));
                block.count = u16::try_from(end - u32::from(block.address)).expect("a block has at most 2000 values");
                block.members.push(member);
            }
            _ => blocks.push(Block {
                function: extent.function,
                address: extent.address,
                count: extent.count,
                members: vec![member],
            }),
        }
    }
    blocks
}

fn end(address: u16, count: u16) -> u32 {
    u32::from(address) + u32::from(count)
}

impl Block {
    fn end(&self) -> u32 {
        end(self.address, self.count)
    }

    /// Whether `extent`, which begins no earlier, can be read along.
    fn reaches(&self, extent: Extent, gap: u32) -> bool {
        let most = if self.function.is_bits() { 2000 } else { 125 };
        self.function == extent.function
            && u32::from(extent.address) <= self.end() + gap
            && self.end().max(end(extent.address, extent.count)) - u32::from(self.address) <= most
    }

    /// The smaller requests to try when the device refuses this one: first without the gaps, then one by one. `None` if it is a
    /// single value already.
    pub(super) fn split(&self, extents: &[Extent]) -> Option<Vec<Self>> {
        if self.members.len() < 2 {
            return None;
        }
        let dense = group(extents, self.members.clone(), 0);
        if dense.len() > 1 {
            return Some(dense);
        }
        Some(self.members.iter().flat_map(|member| group(extents, vec![*member], 0)).collect())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn words(address: u16, count: u16) -> Extent {
        Extent { function: Function::Input, address, count }
    }

    fn shape(blocks: &[Block]) -> Vec<(u16, u16)> {
        blocks.iter().map(|block| (block.address, block.count)).collect()
    }

    #[test]
    fn neighbours_are_read_together_over_a_gap_of_at_most_eight() {
        assert_eq!(shape(&plan(&[words(10, 2), words(0, 2)])), [(0, 12)]);
        assert_eq!(shape(&plan(&[words(11, 2), words(0, 2)])), [(0, 2), (11, 2)]);
    }

    #[test]
    fn a_request_has_at_most_125_registers_or_2000_bits() {
        let registers = (0..130).map(|address| words(address, 1)).collect::<Vec<_>>();
        assert_eq!(shape(&plan(&registers)), [(0, 125), (125, 5)]);
        let bits = (0..2001).map(|address| Extent { function: Function::Coil, address, count: 1 }).collect::<Vec<_>>();
        assert_eq!(shape(&plan(&bits)), [(0, 2000), (2000, 1)]);
    }

    #[test]
    fn a_refused_request_is_tried_without_gaps_and_then_one_by_one() {
        let extents = [words(0, 2), words(2, 2), words(8, 2)];
        let dense = plan(&extents)[0].split(&extents).unwrap();
        assert_eq!(shape(&dense), [(0, 4), (8, 2)]);
        let single = dense[0].split(&extents).unwrap();
        assert_eq!(shape(&single), [(0, 2), (2, 2)]);
        assert_eq!(single[0].split(&extents), None);
    }

    #[test]
    fn the_last_register_of_all_can_be_planned() {
        assert_eq!(shape(&plan(&[words(65_535, 1), words(65_530, 2)])), [(65_530, 6)]);
    }

    proptest! {
        #[test]
        fn every_value_is_read_once_within_its_request(wanted in prop::collection::vec((0..4_usize, 0_u16..65_000, 1..=4_u16), 0..80)) {
            let functions = [Function::Coil, Function::Discrete, Function::Holding, Function::Input];
            let extents = wanted
                .into_iter()
                .map(|(function, address, count)| {
                    let function = functions[function];
                    Extent { function, address, count: if function.is_bits() { 1 } else { count } }
                })
                .collect::<Vec<_>>();
            let blocks = plan(&extents);
            let mut seen = blocks.iter().flat_map(|block| block.members.clone()).collect::<Vec<_>>();
            seen.sort_unstable();
            prop_assert_eq!(seen, (0..extents.len()).collect::<Vec<_>>());
            for block in blocks {
                let most = if block.function.is_bits() { 2000 } else { 125 };
                prop_assert!(block.count <= most);
                let block_end = u32::from(block.address) + u32::from(block.count);
                for member in block.members {
                    let extent = extents[member];
                    prop_assert!(extent.function == block.function && extent.address >= block.address);
                    prop_assert!(end(extent.address, extent.count) <= block_end);
                }
            }
        }
    }
}
