//! Reads JSON lists and objects item by item.
//!
//! A reply of some megabytes can hold millions of tiny values, each of which takes many times its text in memory.
//! So nothing here collects values that the caller does not want. The text itself is borrowed: these functions
//! work on a `&str` that stays in memory. No type of a reply may be decoded through a JSON tree or through serde's
//! buffers for flattened, tagged and untagged types. They take up to 70 times the text.

use std::{fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_json::value::RawValue;

/// Calls `take` for each item of a JSON list. Null is an empty list. An error of `take` ends the list.
pub(super) fn for_each_item<'de, T: Deserialize<'de>>(
    json: &'de str,
    take: impl FnMut(T) -> Result<(), String>,
) -> serde_json::Result<()> {
    drive(json, Items { take, of: PhantomData })
}

/// Calls `take` for each entry of a JSON object. Null is an empty object.
pub(super) fn for_each_entry<'de, K: Deserialize<'de>, V: Deserialize<'de>>(
    json: &'de str,
    take: impl FnMut(K, V) -> Result<(), String>,
) -> serde_json::Result<()> {
    drive(json, Entries { take, of: PhantomData })
}

/// Number of items of a list or entries of an object; zero for other values.
pub(super) fn count(json: &str) -> usize {
    let mut count = 0;
    let mut one = || {
        count += 1;
        Ok(())
    };
    // Text that is neither shows its error when it is decoded.
    let _ = match json.starts_with('{') {
        true => for_each_entry(json, |_: IgnoredAny, _: IgnoredAny| one()),
        false => for_each_item(json, |_: IgnoredAny| one()),
    };
    count
}

fn drive<'de, S: DeserializeSeed<'de, Value = ()>>(
    json: &'de str,
    seed: S,
) -> serde_json::Result<()> {
    let mut text = serde_json::Deserializer::from_str(json);
    seed.deserialize(&mut text)?;
    text.end()
}

struct Items<T, F> {
    take: F,
    of: PhantomData<T>,
}

struct Entries<T, F> {
    take: F,
    of: PhantomData<T>,
}

impl<'de, T, F> DeserializeSeed<'de> for Items<T, F>
where
    T: Deserialize<'de>,
    F: FnMut(T) -> Result<(), String>,
{
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de, T, F> Visitor<'de> for Items<T, F>
where
    T: Deserialize<'de>,
    F: FnMut(T) -> Result<(), String>,
{
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<(), A::Error> {
        while let Some(item) = list.next_element()? {
            (self.take)(item).map_err(A::Error::custom)?;
        }
        Ok(())
    }
}

impl<'de, K, V, F> DeserializeSeed<'de> for Entries<(K, V), F>
where
    K: Deserialize<'de>,
    V: Deserialize<'de>,
    F: FnMut(K, V) -> Result<(), String>,
{
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de, K, V, F> Visitor<'de> for Entries<(K, V), F>
where
    K: Deserialize<'de>,
    V: Deserialize<'de>,
    F: FnMut(K, V) -> Result<(), String>,
{
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut object: A) -> Result<(), A::Error> {
        while let Some((key, value)) = object.next_entry()? {
            (self.take)(key, value).map_err(A::Error::custom)?;
        }
        Ok(())
    }
}

/// A list of at most `MOST` items.
#[derive(Debug)]
pub(super) struct AtMost<T, const MOST: usize>(pub(super) Vec<T>);

impl<T, const MOST: usize> Default for AtMost<T, MOST> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>, const MOST: usize> Deserialize<'de> for AtMost<T, MOST> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let mut items = Vec::new();
        let take = |item| {
            if items.len() == MOST {
                return Err(format!("a list of more than {MOST} items"));
            }
            items.push(item);
            Ok(())
        };
        Items { take, of: PhantomData }.deserialize(from)?;
        Ok(Self(items))
    }
}

/// The text of a value.
pub(super) fn text<'de, D: Deserializer<'de>>(from: D) -> Result<&'de str, D::Error> {
    <&'de RawValue>::deserialize(from).map(RawValue::get)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_and_objects_are_counted_without_their_contents() {
        for (json, expected) in [
            ("[1, [2, 3], {}]", 3),
            ("[]", 0),
            ("{\"a\": [1], \"b\": 2}", 2),
            ("null", 0),
            ("7", 0),
        ] {
            assert_eq!(count(json), expected, "{json}");
        }
    }

    #[test]
    fn a_list_beyond_its_limit_is_refused() {
        assert_eq!(serde_json::from_str::<AtMost<u8, 2>>("[1,2]").unwrap().0, [1, 2]);
        let error = serde_json::from_str::<AtMost<u8, 2>>("[1,2,3]").unwrap_err();
        assert!(error.to_string().starts_with("a list of more than 2 items"), "{error}");
    }

    #[test]
    fn text_after_a_list_is_an_error() {
        assert!(for_each_item("[1] 2", |_: u8| Ok(())).is_err());
        assert!(for_each_entry("{\"a\": 1}", |_: String, _: u8| Err("no".to_owned())).is_err());
    }
}
