//! The tree → the plan's types, by serde, with the path in every complaint.

use serde::de::value::StrDeserializer;
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error as _, IntoDeserializer, MapAccess, SeqAccess,
    Unexpected, VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;

use super::place::Part;
use super::tree::{Entry, Node, Value};
use super::wrong::Wrong;

impl<'de> Deserializer<'de> for &'de Node {
    type Error = Wrong;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        let result = match &self.value {
            Value::Nothing => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::Integer(value) => visitor.visit_i64(*value),
            Value::Number(value) => visitor.visit_f64(*value),
            Value::Text(text) => visitor.visit_borrowed_str(text),
            Value::List(items) => visitor.visit_seq(Items { items, next: 0 }),
            Value::Map(entries) => visitor.visit_map(Entries { entries, value: None }),
        };
        result.map_err(|wrong| wrong.or_at(self.place))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        match self.value {
            Value::Nothing => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    /// serde would take a list for a mapping, its items in the order of our fields.
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        match self.value {
            Value::Map(_) => self.deserialize_any(visitor),
            _ => Err(Wrong::invalid_type(self.unexpected(), &visitor).or_at(self.place)),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        visitor.visit_newtype_struct(self)
    }

    /// A choice is a word (`strict`) or a mapping with one key (`{ header: x-user-id }`).
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        let result = match &self.value {
            Value::Text(word) => visitor.visit_enum(Choice {
                word,
                place: self,
                of: None,
            }),
            Value::Map(entries) => match entries.as_slice() {
                [Entry { key, key_place, node }] => visitor
                    .visit_enum(Choice {
                        word: key,
                        place: self,
                        of: Some(node),
                    })
                    .map_err(|wrong| match wrong {
                        wrong if wrong.path.0.is_empty() && wrong.place.is_none() => {
                            wrong.or_at(*key_place).under(Part::Key(key.clone()))
                        }
                        wrong => wrong,
                    }),
                entries => {
                    let keys: Vec<_> = entries.iter().map(|entry| entry.key.as_str()).collect();
                    Err(Wrong::choice(&keys, variants))
                }
            },
            _ => Err(Wrong::invalid_type(
                self.unexpected(),
                &Wrong::one_of(variants).as_str(),
            )),
        };
        result.map_err(|wrong| wrong.or_at(self.place))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct map identifier ignored_any
    }
}

impl Node {
    fn unexpected(&self) -> Unexpected<'_> {
        match &self.value {
            Value::Nothing => Unexpected::Unit,
            Value::Bool(value) => Unexpected::Bool(*value),
            Value::Integer(value) => Unexpected::Signed(*value),
            Value::Number(value) => Unexpected::Float(*value),
            Value::Text(text) => Unexpected::Str(text),
            Value::List(_) => Unexpected::Seq,
            Value::Map(_) => Unexpected::Map,
        }
    }
}

struct Items<'de> {
    items: &'de [Node],
    next: usize,
}

impl<'de> SeqAccess<'de> for Items<'de> {
    type Error = Wrong;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Wrong> {
        let Some(item) = self.items.get(self.next) else {
            return Ok(None);
        };
        let index = self.next;
        self.next += 1;
        seed.deserialize(item)
            .map(Some)
            .map_err(|wrong| wrong.or_at(item.place).under(Part::Item(index)))
    }
}

struct Entries<'de> {
    entries: &'de [Entry],
    value: Option<&'de Entry>,
}

impl<'de> MapAccess<'de> for Entries<'de> {
    type Error = Wrong;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Wrong> {
        let Some((entry, rest)) = self.entries.split_first() else {
            return Ok(None);
        };
        self.entries = rest;
        self.value = Some(entry);
        let key: StrDeserializer<'de, Wrong> = entry.key.as_str().into_deserializer();
        seed.deserialize(key)
            .map(Some)
            .map_err(|wrong| wrong.or_at(entry.key_place).under(Part::Key(entry.key.clone())))
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Wrong> {
        let entry = self
            .value
            .take()
            .ok_or_else(|| Wrong::custom("a value is asked for before its key"))?;
        seed.deserialize(&entry.node)
            .map_err(|wrong| wrong.or_at(entry.node.place).under(Part::Key(entry.key.clone())))
    }
}

/// A word of a choice, and what stands behind it when it is a key.
struct Choice<'de> {
    word: &'de str,
    place: &'de Node,
    of: Option<&'de Node>,
}

impl<'de> EnumAccess<'de> for Choice<'de> {
    type Error = Wrong;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Wrong> {
        let word: StrDeserializer<'de, Wrong> = self.word.into_deserializer();
        Ok((seed.deserialize(word)?, self))
    }
}

impl<'de> VariantAccess<'de> for Choice<'de> {
    type Error = Wrong;

    fn unit_variant(self) -> Result<(), Wrong> {
        match self.of {
            None => Ok(()),
            Some(_) => Err(Wrong::invalid_type(Unexpected::Map, &"a word")),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Wrong> {
        let Some(node) = self.of else {
            return Err(Wrong::invalid_type(
                self.place.unexpected(),
                &format!("`{}: …`", self.word).as_str(),
            ));
        };
        seed.deserialize(node)
            .map_err(|wrong| wrong.or_at(node.place).under(Part::Key(self.word.to_owned())))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, _: V) -> Result<V::Value, Wrong> {
        Err(Wrong::invalid_type(self.place.unexpected(), &"a word"))
    }

    fn struct_variant<V: Visitor<'de>>(self, _: &'static [&'static str], _: V) -> Result<V::Value, Wrong> {
        Err(Wrong::invalid_type(self.place.unexpected(), &"a word"))
    }
}
