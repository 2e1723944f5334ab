//! An HTTP client for the SDK that is backed by a function.

use std::{fmt, sync::Arc};

use aws_smithy_runtime_api::{
    client::{
        http::{HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector},
        orchestrator::{HttpRequest, HttpResponse},
        result::ConnectorError,
        runtime_components::RuntimeComponents,
    },
    http::StatusCode,
};
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use futures::future::BoxFuture;

/// The SDK's request: the operation's name, the JSON body, and the trace of the call.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub operation: String,
    pub body: Bytes,
    pub trace: Option<String>,
}

/// The response to a request.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub status: u16,
    pub body: Bytes,
}

type Function = dyn Fn(Call) -> BoxFuture<'static, Result<Answer, ConnectorError>> + Send + Sync;

/// An HTTP client that passes every request to a function.
#[derive(Clone)]
pub(crate) struct FunctionClient(Arc<Function>);

impl fmt::Debug for FunctionClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FunctionClient")
    }
}

impl FunctionClient {
    pub fn new<F, A>(function: F) -> Self
    where
        F: Fn(Call) -> A + Send + Sync + 'static,
        A: Future<Output = Result<Answer, ConnectorError>> + Send + 'static,
    {
        Self(Arc::new(move |call| Box::pin(function(call))))
    }
}

impl HttpClient for FunctionClient {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for FunctionClient {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        let operation = target.rsplit('.').next().unwrap_or_default().to_owned();
        // Both services send small JSON documents that are whole in memory.
        let body = request.body().bytes().map(Bytes::copy_from_slice).unwrap_or_default();
        let trace = request.headers().get("x-amzn-trace-id").map(str::to_owned);
        let answer = (self.0)(Call { operation, body, trace });
        HttpConnectorFuture::new(async move { response(answer.await?) })
    }
}

fn response(answer: Answer) -> Result<HttpResponse, ConnectorError> {
    let status = StatusCode::try_from(answer.status).map_err(|error| ConnectorError::other(error.into(), None))?;
    let mut response = HttpResponse::new(status, SdkBody::from(answer.body));
    response.headers_mut().insert("content-type", "application/x-amz-json-1.0");
    Ok(response)
}
