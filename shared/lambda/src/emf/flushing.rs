//! Writes metrics after each invocation.

use std::task::{Context, Poll};

use futures::{FutureExt as _, future::Inspect};
use lambda_runtime::{LambdaEvent, Service};

use super::FunctionMetrics;
use domain::Clock;

/// An invocation's payload.
pub trait Invocation {
    /// The invocation's request id; empty if unknown.
    fn request_id(&self) -> &str;
}

impl<T> Invocation for LambdaEvent<T> {
    fn request_id(&self) -> &str {
        &self.context.request_id
    }
}

/// `lambda_http` stores the context in the request's extensions.
impl<B> Invocation for http::Request<B> {
    fn request_id(&self) -> &str {
        self.extensions().get::<lambda_runtime::Context>().map_or("", |context| &context.request_id)
    }
}

/// A handler that writes the metrics after each invocation and before its response is sent: after that, Lambda may
/// freeze the process until the next event. Works with `lambda_runtime::run` and `lambda_http::run`; built by
/// [`FunctionMetrics::flushed_after`].
#[derive(Debug, Clone)]
pub struct Flushing<S> {
    metrics: FunctionMetrics,
    service: S,
}

impl FunctionMetrics {
    /// Wraps a service so that the metrics are written after each invocation.
    pub fn flushed_after<S>(&self, service: S) -> Flushing<S> {
        Flushing { metrics: self.clone(), service }
    }
}

impl<S: Service<I>, I: Invocation> Service<I> for Flushing<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = Inspect<S::Future, Box<dyn FnOnce(&Result<S::Response, S::Error>) + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.service.poll_ready(context)
    }

    fn call(&mut self, invocation: I) -> Self::Future {
        let (metrics, request_id) = (self.metrics.clone(), invocation.request_id().to_owned());
        self.service.call(invocation).inspect(Box::new(move |_| metrics.flush(&request_id, Clock::System.now())))
    }
}
