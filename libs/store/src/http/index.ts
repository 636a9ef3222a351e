export { classifyResponse } from './classify-response.js';
export { withIdleTimeout } from './idle-timeout.js';
export { loginIn, mlflowLogin } from './mlflow-login.js';
export { fetchWithTls, mlflowTls, mlflowTlsVariables, type TlsOptions } from './mlflow-tls.js';
export { readBody, ResponseTooLarge } from './read-body.js';
export { RetryableError } from './retryable-error.js';
export { withRetries } from './with-retries.js';
