//! The client of object_store, with typed faults in place of refused answers.
//!
//! The library retries by the kind of an error, and shows answers as text. So an answer that may be another one later
//! becomes an error of a kind that is retried, and a refusal one of a kind that is not.

use futures::future::BoxFuture;
use object_store::{
    ClientOptions,
    client::{
        HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse,
        HttpService, ReqwestConnector,
    },
};

use super::{
    fault::{BucketFault, Code},
    url::Service,
};

/// Hosts at which a cloud's machines ask for their credentials.
const OF_MACHINES: [&str; 3] = ["169.254.169.254", "169.254.170.2", "metadata.google.internal"];

/// Connects with [`Checked`].
#[derive(Debug)]
pub(super) struct Connector(pub(super) Service);

impl HttpConnector for Connector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let client = ReqwestConnector::default().connect(options)?;
        Ok(HttpClient::new(Checked { client, service: self.0 }))
    }
}

/// A client that turns refused answers into errors.
#[derive(Debug)]
struct Checked {
    client: HttpClient,
    service: Service,
}

impl HttpService for Checked {
    fn call<'a, 'async_trait>(
        &'a self,
        request: HttpRequest,
    ) -> BoxFuture<'async_trait, Result<HttpResponse, HttpError>>
    where
        'a: 'async_trait,
        Self: 'async_trait,
    {
        Box::pin(async move {
            let asks_machine = request.uri().host().is_some_and(|host| OF_MACHINES.contains(&host));
            match self.client.execute(request).await {
                Err(_) if asks_machine => Err(self.no_credentials()),
                Err(error) => Err(HttpError::new(error.kind(), BucketFault::of_connection(&error))),
                Ok(answer) if asks_machine && answer.status().as_u16() == 404 => {
                    Err(self.no_credentials())
                }
                Ok(answer) if asks_machine => Ok(answer),
                Ok(answer) => self.checked(answer).await,
            }
        })
    }
}

impl Checked {
    /// Passes an answer on, unless it is a refusal. A condition that does not hold and a missing object are no
    /// refusals.
    async fn checked(&self, answer: HttpResponse) -> Result<HttpResponse, HttpError> {
        let status = answer.status().as_u16();
        if status < 300 || matches!(status, 304 | 412 | 416) {
            return Ok(answer);
        }
        let (parts, body) = answer.into_parts();
        // The status says enough if the text does not arrive.
        let body = body.bytes().await.unwrap_or_default();
        let code = Code::of(&String::from_utf8_lossy(&body));
        if code.is_of_missing_bucket() {
            return Err(HttpError::new(HttpErrorKind::Unknown, BucketFault::NoBucket));
        }
        match status {
            404 => Ok(HttpResponse::from_parts(parts, body.into())),
            408 | 409 | 425 | 429 | 500.. => {
                Err(HttpError::new(HttpErrorKind::Request, BucketFault::Busy { status, code }))
            }
            _ => {
                let remedy = self.service.remedy();
                let fault = BucketFault::Refused { status, code, remedy };
                Err(HttpError::new(HttpErrorKind::Unknown, fault))
            }
        }
    }

    fn no_credentials(&self) -> HttpError {
        let remedy = self.service.remedy();
        HttpError::new(HttpErrorKind::Unknown, BucketFault::NoCredentials { remedy })
    }
}
