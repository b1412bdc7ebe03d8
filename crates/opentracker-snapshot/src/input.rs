use std::io::{self, ErrorKind, Read};

/// What was read and is not used up yet: as much of the file as a look ahead needs.
#[derive(Debug)]
pub(crate) struct Input<R> {
    source: R,
    buffer: Box<[u8]>,
    /// The octets that are there: `start..end` of the buffer.
    start: usize,
    end: usize,
    is_at_end: bool,
}

impl<R: Read> Input<R> {
    pub(crate) fn new(source: R, capacity: usize) -> Self {
        Self {
            source,
            buffer: vec![0; capacity].into_boxed_slice(),
            start: 0,
            end: 0,
            is_at_end: false,
        }
    }

    /// Returns the next octets: at least `wanted`, which must not exceed the capacity, and fewer
    /// only at the end of the file.
    pub(crate) fn peek(&mut self, wanted: usize) -> io::Result<&[u8]> {
        while self.end - self.start < wanted && !self.is_at_end {
            if self.start + wanted > self.buffer.len() {
                self.buffer.copy_within(self.start..self.end, 0);
                self.end -= self.start;
                self.start = 0;
            }
            match self.source.read(&mut self.buffer[self.end..]) {
                Ok(0) => self.is_at_end = true,
                Ok(octets) => self.end += octets,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(&self.buffer[self.start..self.end])
    }

    /// Uses up octets that [`Self::peek`] has returned.
    pub(crate) fn consume(&mut self, octets: usize) {
        debug_assert!(octets <= self.end - self.start);
        self.start += octets;
    }
}
