use opentracker_core::HistogramFamily;

/// How long requests take, by protocol.
///
/// What is read together is handled and answered together, so each request takes as long as all of
/// that: the batch of a UDP thread, the pipelined requests of a connection.
pub(crate) static REQUEST_DURATION: HistogramFamily = HistogramFamily {
    name: "opentracker_request_duration_seconds",
    help: "Time from when a request was read until its reply was given to the system, which is that \
           of all requests that were read with it, by protocol.",
    label: "protocol",
};
