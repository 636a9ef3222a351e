export { classifyResponse } from './classify-response.js';
export { withIdleTimeout } from './idle-timeout.js';
export { RetryableError } from './retryable-error.js';
export { withRetries } from './with-retries.js';
