//! The body of a response.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use hyper::body::{Body, Bytes, Frame, SizeHint};

use crate::full_scrape::{FullScrape, Progress};
use crate::gzip::Gzip;

/// A page as a whole, or a full scrape in pieces.
#[derive(Debug)]
pub(crate) enum PageBody {
    Whole(Option<Bytes>),
    FullScrape(Box<Pieces>),
}

/// A full scrape on its way to a client.
#[derive(Debug)]
pub(crate) struct Pieces {
    scrape: FullScrape,
    gzip: Option<Gzip>,
    /// A piece was given, so others have their turn before the next.
    has_given: bool,
    is_done: bool,
}

impl PageBody {
    pub(crate) fn whole(page: impl Into<Bytes>) -> Self {
        let page = page.into();
        Self::Whole((!page.is_empty()).then_some(page))
    }

    pub(crate) fn full_scrape(scrape: FullScrape) -> Self {
        Self::FullScrape(Box::new(Pieces {
            scrape,
            gzip: None,
            has_given: false,
            is_done: false,
        }))
    }

    /// Tells whether it is large enough for compression to be worth it.
    pub(crate) fn is_large(&self) -> bool {
        match self {
            Self::Whole(page) => page.as_ref().map_or(0, Bytes::len) >= crate::gzip::MIN_OCTETS,
            Self::FullScrape(_) => true,
        }
    }

    /// Has it compressed.
    pub(crate) fn compressed(self) -> Self {
        match self {
            Self::Whole(page) => Self::whole(Gzip::whole(&page.unwrap_or_default())),
            Self::FullScrape(mut pieces) => {
                pieces.gzip = Some(Gzip::new());
                Self::FullScrape(pieces)
            }
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
        self.is_done = self.scrape.step(Instant::now(), &mut piece) == Progress::Done;
        if let Some(gzip) = &mut self.gzip {
            piece = gzip.put(&piece);
        }
        if self.is_done
            && let Some(gzip) = self.gzip.take()
        {
            piece.append(&mut gzip.finish());
        }
        self.has_given = !piece.is_empty();
        self.scrape.note_given(piece.len(), self.is_done);
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
            Self::FullScrape(pieces) if pieces.is_done => None,
            Self::FullScrape(pieces) => {
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
            Self::FullScrape(pieces) => pieces.is_done,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(page) => {
                let octets = page.as_ref().map_or(0, Bytes::len);
                SizeHint::with_exact(u64::try_from(octets).expect("a usize has 64 bits at most"))
            }
            Self::FullScrape(_) => SizeHint::default(),
        }
    }
}
