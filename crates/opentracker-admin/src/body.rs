//! The body of a response.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use hyper::body::{Body, Bytes, Frame, SizeHint};

use crate::api::Lines;
use crate::coding::{Coding, Compressor, MIN_OCTETS};
use crate::listing::{Listing, Progress};

/// A page as a whole, a list of all torrents in pieces, or a stream of lines.
#[derive(Debug)]
pub(crate) enum PageBody {
    Whole(Option<Bytes>),
    Listing(Box<Pieces>),
    Lines(Box<Lines>),
}

/// A list on its way to a client.
#[derive(Debug)]
pub(crate) struct Pieces {
    listing: Listing,
    compressor: Option<Compressor>,
    /// A piece was given, so others have their turn before the next.
    has_given: bool,
    is_done: bool,
}

impl PageBody {
    pub(crate) fn whole(page: impl Into<Bytes>) -> Self {
        let page = page.into();
        Self::Whole((!page.is_empty()).then_some(page))
    }

    pub(crate) fn listing(listing: Listing) -> Self {
        Self::Listing(Box::new(Pieces {
            listing,
            compressor: None,
            has_given: false,
            is_done: false,
        }))
    }

    pub(crate) fn lines(lines: Lines) -> Self {
        Self::Lines(Box::new(lines))
    }

    /// Tells whether it is large enough for compression to be worth it. The lines of a stream are
    /// read one by one.
    pub(crate) fn is_large(&self) -> bool {
        match self {
            Self::Whole(page) => page.as_ref().map_or(0, Bytes::len) >= MIN_OCTETS,
            Self::Listing(_) => true,
            Self::Lines(_) => false,
        }
    }

    /// Tells whether it can be compressed.
    pub(crate) fn is_compressible(&self) -> bool {
        !matches!(self, Self::Lines(_))
    }

    /// Has it compressed.
    pub(crate) fn compressed(self, coding: Coding) -> Self {
        match self {
            Self::Whole(page) => Self::whole(coding.compress(&page.unwrap_or_default())),
            Self::Listing(mut pieces) => {
                pieces.compressor = Some(Compressor::new(coding));
                Self::Listing(pieces)
            }
            Self::Lines(lines) => Self::Lines(lines),
        }
    }
}

impl Pieces {
    /// Returns the next piece; `None` if there is none yet.
    fn next_piece(&mut self) -> Option<Vec<u8>> {
        if std::mem::take(&mut self.has_given) {
            return None;
        }
        let mut piece = Vec::new();
        self.is_done = self.listing.step(Instant::now(), &mut piece) == Progress::Done;
        if let Some(compressor) = &mut self.compressor {
            piece = compressor.put(&piece);
        }
        if self.is_done
            && let Some(compressor) = self.compressor.take()
        {
            piece.append(&mut compressor.finish());
        }
        self.has_given = !piece.is_empty();
        self.listing.note_given(piece.len(), self.is_done);
        self.has_given.then_some(piece)
    }
}

impl Body for PageBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let piece = match self.get_mut() {
            Self::Whole(page) => page.take(),
            Self::Lines(lines) => {
                return lines
                    .poll_next(cx)
                    .map(|lines| Ok(lines.map(Frame::data)).transpose());
            }
            Self::Listing(pieces) if pieces.is_done => None,
            Self::Listing(pieces) => {
                let Some(piece) = pieces.next_piece() else {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                };
                Some(piece.into())
            }
        };
        Poll::Ready(piece.map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(page) => page.is_none(),
            Self::Listing(pieces) => pieces.is_done,
            Self::Lines(lines) => lines.is_done(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(page) => {
                let octets = page.as_ref().map_or(0, Bytes::len);
                SizeHint::with_exact(u64::try_from(octets).expect("a usize has 64 bits at most"))
            }
            Self::Listing(_) | Self::Lines(_) => SizeHint::default(),
        }
    }
}
