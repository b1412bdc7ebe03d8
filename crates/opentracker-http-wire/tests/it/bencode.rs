//! A second opinion on bencode: a plain writer, and what BEP 3 says beyond the grammar.

use std::collections::BTreeMap;

use opentracker_http_wire::bencode::{self, Value};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::Index;

/// A value that owns what it holds.
#[derive(Debug, Clone)]
enum Tree {
    Integer(i64),
    String(Vec<u8>),
    List(Vec<Self>),
    Dictionary(BTreeMap<Vec<u8>, Self>),
}

fn tree() -> impl Strategy<Value = Tree> {
    let leaf = prop_oneof![
        any::<i64>().prop_map(Tree::Integer),
        vec(any::<u8>(), 0..12).prop_map(Tree::String),
    ];
    leaf.prop_recursive(6, 60, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Tree::List),
            btree_map(vec(any::<u8>(), 0..6), inner, 0..6).prop_map(Tree::Dictionary),
        ]
    })
}

fn write_string(octets: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(format!("{}:", octets.len()).as_bytes());
    out.extend_from_slice(octets);
}

fn write_tree(tree: &Tree, out: &mut Vec<u8>) {
    match tree {
        Tree::Integer(number) => out.extend_from_slice(format!("i{number}e").as_bytes()),
        Tree::String(octets) => write_string(octets, out),
        Tree::List(items) => {
            out.push(b'l');
            for item in items {
                write_tree(item, out);
            }
            out.push(b'e');
        }
        Tree::Dictionary(entries) => {
            out.push(b'd');
            for (key, value) in entries {
                write_string(key, out);
                write_tree(value, out);
            }
            out.push(b'e');
        }
    }
}

/// Writes what was read, and notes whether all keys ascend.
fn write_value(value: Value<'_>, out: &mut Vec<u8>, are_keys_sorted: &mut bool) {
    match value {
        Value::Integer(number) => out.extend_from_slice(format!("i{number}e").as_bytes()),
        Value::String(octets) => write_string(octets, out),
        Value::List(items) => {
            out.push(b'l');
            for item in items {
                write_value(item, out, are_keys_sorted);
            }
            out.push(b'e');
        }
        Value::Dictionary(entries) => {
            out.push(b'd');
            let mut last: Option<&[u8]> = None;
            for (key, value) in entries {
                *are_keys_sorted &= last.is_none_or(|last| last < key);
                last = Some(key);
                write_string(key, out);
                write_value(value, out, are_keys_sorted);
            }
            out.push(b'e');
        }
    }
}

/// Asserts that `body` is the one bencode of what it says: well-formed, numbers without
/// ornaments, keys in ascending order and each once.
pub(crate) fn assert_canonical(body: &[u8]) {
    let value = bencode::decode(body).expect("a reply is bencode");
    let mut again = Vec::new();
    let mut are_keys_sorted = true;
    write_value(value, &mut again, &mut are_keys_sorted);
    assert_eq!(again, body);
    assert!(
        are_keys_sorted,
        "keys out of order: {}",
        body.escape_ascii()
    );
}

proptest! {
    #[test]
    fn what_a_plain_writer_writes_is_read(tree in tree(), cut: Index) {
        let mut body = Vec::new();
        write_tree(&tree, &mut body);
        assert_canonical(&body);
        // No part of it from the front is a value.
        prop_assert!(bencode::decode(&body[..cut.index(body.len())]).is_err());
    }

    #[test]
    fn what_is_read_is_all_there_is(body in crate::arbitrary::plausible_bencode()) {
        if let Ok(value) = bencode::decode(&body) {
            let mut again = Vec::new();
            write_value(value, &mut again, &mut true);
            prop_assert_eq!(again, body);
        }
    }
}
