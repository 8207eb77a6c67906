//! Event files of TensorBoard: scalars and images over steps.
//!
//! A file is a sequence of TFRecords: length (u64), masked CRC-32C of the length, the bytes, masked CRC-32C of the bytes, all little-endian
//! (`tensorflow/core/lib/io/record_writer.h`). Each record is an `Event` of protobuf (`tensorflow/core/util/event.proto`), of which the
//! fields used here are declared below. TensorBoard finds files whose names hold `tfevents`, as [`file_name`] makes them.

use prost::Message;
use std::io::{self, Write};

#[derive(Clone, PartialEq, Message)]
struct Event {
    /// Seconds since 1970.
    #[prost(double, tag = "1")]
    wall_time: f64,
    #[prost(int64, tag = "2")]
    step: i64,
    #[prost(string, optional, tag = "3")]
    file_version: Option<String>,
    #[prost(message, optional, tag = "5")]
    summary: Option<Summary>,
}

#[derive(Clone, PartialEq, Message)]
struct Summary {
    #[prost(message, repeated, tag = "1")]
    value: Vec<Value>,
}

#[derive(Clone, PartialEq, Message)]
struct Value {
    #[prost(string, tag = "1")]
    tag: String,
    #[prost(float, optional, tag = "2")]
    simple_value: Option<f32>,
    #[prost(message, optional, tag = "4")]
    image: Option<Image>,
}

#[derive(Clone, PartialEq, Message)]
struct Image {
    #[prost(int32, tag = "1")]
    height: i32,
    #[prost(int32, tag = "2")]
    width: i32,
    /// Channels: 3 for RGB.
    #[prost(int32, tag = "3")]
    colorspace: i32,
    #[prost(bytes = "vec", tag = "4")]
    encoded_image_string: Vec<u8>,
}

/// A name for an event file begun at `wall_time`, in seconds since 1970.
pub fn file_name(wall_time: f64) -> String {
    format!("events.out.tfevents.{:010}.cnnc", wall_time.max(0.0) as u64)
}

/// Writes events to a file, or wherever bytes go.
#[derive(Debug)]
pub struct EventWriter<W: Write> {
    to: W,
}

impl<W: Write> EventWriter<W> {
    /// Begins a file: the first record says which version it is.
    pub fn new(to: W, wall_time: f64) -> io::Result<EventWriter<W>> {
        let mut writer = EventWriter { to };
        writer.record(&Event {
            wall_time,
            file_version: Some("brain.Event:2".to_string()),
            ..Event::default()
        })?;
        Ok(writer)
    }

    /// Writes figures with their names, such as `loss/train`.
    pub fn scalars(
        &mut self,
        step: u64,
        wall_time: f64,
        figures: &[(&str, f64)],
    ) -> io::Result<()> {
        let value = |&(tag, figure): &(&str, f64)| Value {
            tag: tag.to_string(),
            simple_value: Some(figure as f32),
            image: None,
        };
        self.summary(step, wall_time, figures.iter().map(value).collect())
    }

    /// Writes a picture: the bytes of a PNG file in RGB, and its extents in pixels.
    pub fn image(
        &mut self,
        step: u64,
        wall_time: f64,
        tag: &str,
        png: Vec<u8>,
        [width, height]: [u32; 2],
    ) -> io::Result<()> {
        let image = Image {
            height: i32::try_from(height).unwrap_or(i32::MAX),
            width: i32::try_from(width).unwrap_or(i32::MAX),
            colorspace: 3,
            encoded_image_string: png,
        };
        let value = Value {
            tag: tag.to_string(),
            simple_value: None,
            image: Some(image),
        };
        self.summary(step, wall_time, vec![value])
    }

    fn summary(&mut self, step: u64, wall_time: f64, value: Vec<Value>) -> io::Result<()> {
        self.record(&Event {
            wall_time,
            step: i64::try_from(step).unwrap_or(i64::MAX),
            file_version: None,
            summary: Some(Summary { value }),
        })
    }

    /// Writes a record and hands it on, so that who watches sees it.
    fn record(&mut self, event: &Event) -> io::Result<()> {
        let event = event.encode_to_vec();
        let length = (event.len() as u64).to_le_bytes();
        let mut record = length.to_vec();
        record.extend(masked_crc(&length).to_le_bytes());
        record.extend_from_slice(&event);
        record.extend(masked_crc(&event).to_le_bytes());
        self.to.write_all(&record)?;
        self.to.flush()
    }
}

/// CRC-32C, turned and shifted, since checksums of data that hold checksums are weak.
fn masked_crc(bytes: &[u8]) -> u32 {
    crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}

/// CRC-32C (Castagnoli; RFC 3720, appendix B.4).
fn crc32c(bytes: &[u8]) -> u32 {
    const TABLE: [u32; 256] = {
        let mut table = [0; 256];
        let mut byte = 0;
        while byte < 256 {
            let mut crc = byte as u32;
            let mut bit = 0;
            while bit < 8 {
                crc = if crc & 1 == 1 {
                    crc >> 1 ^ 0x82f6_3b78
                } else {
                    crc >> 1
                };
                bit += 1;
            }
            table[byte] = crc;
            byte += 1;
        }
        table
    };
    !bytes.iter().fold(!0, |crc, &byte| {
        TABLE[usize::from(crc as u8 ^ byte)] ^ crc >> 8
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vectors of RFC 3720.
    #[test]
    fn checksums_are_those_of_the_standard() {
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(crc32c(&[0xff; 32]), 0x62a8_ab43);
    }

    #[test]
    fn events_are_framed_and_decode() {
        let mut file = Vec::new();
        let mut writer = EventWriter::new(&mut file, 1.5).unwrap();
        writer
            .scalars(7, 2.5, &[("loss/train", 0.25), ("accuracy/train", 0.5)])
            .unwrap();
        writer
            .image(8, 3.5, "predictions", vec![1, 2], [3, 4])
            .unwrap();
        let mut rest = &file[..];
        let mut events = Vec::new();
        while let Some((length, after)) = rest.split_first_chunk::<8>() {
            let (crc, after) = after.split_first_chunk::<4>().unwrap();
            assert_eq!(u32::from_le_bytes(*crc), masked_crc(length));
            let (event, after) = after.split_at(u64::from_le_bytes(*length) as usize);
            let (crc, after) = after.split_first_chunk::<4>().unwrap();
            assert_eq!(u32::from_le_bytes(*crc), masked_crc(event));
            events.push(Event::decode(event).unwrap());
            rest = after;
        }
        assert!(rest.is_empty());
        assert_eq!(events[0].file_version.as_deref(), Some("brain.Event:2"));
        let shown: Vec<String> = events[1..]
            .iter()
            .map(|e| {
                format!(
                    "{} {:?} {:?}",
                    e.step,
                    e.wall_time,
                    e.summary.as_ref().unwrap().value
                )
            })
            .collect();
        insta::assert_snapshot!(shown.join("\n"), @r##"
        7 2.5 [Value { tag: "loss/train", simple_value: Some(0.25), image: None }, Value { tag: "accuracy/train", simple_value: Some(0.5), image: None }]
        8 3.5 [Value { tag: "predictions", simple_value: None, image: Some(Image { height: 4, width: 3, colorspace: 3, encoded_image_string: [1, 2] }) }]
        "##);
    }

    /// Field by field as protobuf writes it: a double (1, wire type 1), a varint (2, 0), a message (5, 2) of a message (1, 2).
    #[test]
    fn an_event_has_the_bytes_of_the_schema() {
        let event = Event {
            wall_time: 1.0,
            step: 3,
            file_version: None,
            summary: Some(Summary {
                value: vec![Value {
                    tag: "a".to_string(),
                    simple_value: Some(1.0),
                    image: None,
                }],
            }),
        };
        let expected = [
            0x09, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f, 0x10, 3, 0x2a, 10, 0x0a, 8, 0x0a, 1, b'a', 0x15, 0,
            0, 0x80, 0x3f,
        ];
        assert_eq!(event.encode_to_vec(), expected);
    }

    #[test]
    fn names_are_those_tensorboard_looks_for() {
        assert_eq!(
            file_name(1_700_000_000.9),
            "events.out.tfevents.1700000000.cnnc"
        );
    }
}
