//! The tree by which the shards of a batch are added, whoever computes them.

use std::ops::Range;

/// A place in the binary tree over some leaves: neighbours are added, then neighbours of those, and what has no neighbour goes up as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Node {
    level: u32,
    index: usize,
}

impl Node {
    pub(crate) fn leaf(index: usize) -> Self {
        Node { level: 0, index }
    }
}

/// What comes in the order of the leaves, added up as far as the tree allows: what is left are the tops of whole subtrees.
pub(crate) struct Fold<X> {
    leaves: usize,
    pub(crate) tops: Vec<(Node, X)>,
}

impl<X> Fold<X> {
    /// Of a tree over so many leaves.
    pub(crate) fn new(leaves: usize) -> Self {
        Fold { leaves, tops: Vec::new() }
    }

    /// Takes what stands at the next node. `add` is given two neighbours and returns their sum.
    pub(crate) fn push(&mut self, mut node: Node, mut value: X, mut add: impl FnMut(X, X) -> X) {
        loop {
            let width = self.leaves.div_ceil(1 << node.level);
            let neighbour = Node { index: node.index.wrapping_sub(1), ..node };
            if node.index % 2 == 1 && self.tops.last().is_some_and(|(top, _)| *top == neighbour) {
                let (_, earlier) = self.tops.pop().expect("it is there");
                value = add(earlier, value);
            } else if node.index.is_multiple_of(2) && node.index + 1 == width && width > 1 {
                // It has no neighbour.
            } else {
                break;
            }
            node = Node { level: node.level + 1, index: node.index / 2 };
        }
        self.tops.push((node, value));
    }

    /// The sum of all leaves, once all of them are in; `None` of no leaves.
    pub(crate) fn sum(mut self) -> Option<X> {
        let (_, sum) = self.tops.pop()?;
        assert!(self.tops.is_empty(), "not all leaves of the tree are in");
        Some(sum)
    }
}

/// The tops of the whole subtrees over a range of the leaves.
pub(crate) fn tops(leaves: usize, range: Range<usize>) -> Vec<Node> {
    let mut fold = Fold::new(leaves);
    range.for_each(|leaf| fold.push(Node::leaf(leaf), (), |(), ()| ()));
    fold.tops.into_iter().map(|(node, ())| node).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn added(a: String, b: String) -> String {
        format!("({a}{b})")
    }

    /// The tree as it is defined: by levels.
    fn by_levels(leaves: usize) -> String {
        let mut level: Vec<String> = (0..leaves).map(|leaf| leaf.to_string()).collect();
        while level.len() > 1 {
            level = level.chunks(2).map(|pair| pair.iter().cloned().reduce(added).unwrap()).collect();
        }
        level.pop().unwrap()
    }

    #[test]
    fn however_leaves_are_shared_the_tree_is_the_same() {
        for leaves in 1..40 {
            for ranks in 1..=9 {
                let mut top = Fold::new(leaves);
                for rank in 0..ranks {
                    let range = rank * leaves / ranks..(rank + 1) * leaves / ranks;
                    let mut own = Fold::new(leaves);
                    range.clone().for_each(|leaf| own.push(Node::leaf(leaf), leaf.to_string(), added));
                    assert!(own.tops.iter().map(|(node, _)| *node).eq(tops(leaves, range)));
                    own.tops.into_iter().for_each(|(node, value)| top.push(node, value, added));
                }
                assert_eq!(top.sum().unwrap(), by_levels(leaves), "{leaves} leaves, {ranks} ranks");
            }
        }
        // Ranks that share evenly have one top each.
        assert_eq!(tops(16, 4..8), [Node { level: 2, index: 1 }]);
        assert_eq!(tops(7, 6..7), [Node { level: 1, index: 3 }]);
    }

    #[test]
    #[should_panic(expected = "not all leaves")]
    fn a_tree_with_a_gap_has_no_sum() {
        let mut fold = Fold::new(4);
        [0, 1, 3].into_iter().for_each(|leaf| fold.push(Node::leaf(leaf), leaf, |a, b| a + b));
        fold.sum();
    }
}
