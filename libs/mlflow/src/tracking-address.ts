import { MlflowAddressInvalid } from './errors.js';

/** Where a server is and what to say to be let in. */
export interface TrackingAddress {
  /** Without a slash at the end, and without user and password. */
  trackingUri: string;

  /** Value of the Authorization header. */
  authorization?: string;
}

/**
 * Reads an address, default env MLFLOW_TRACKING_URI, and the credentials: `token`, those inside the address, then MLflow's
 * own variables MLFLOW_TRACKING_TOKEN and MLFLOW_TRACKING_USERNAME with MLFLOW_TRACKING_PASSWORD.
 *
 * @throws MlflowAddressInvalid for anything but http and https
 */
export function readTrackingAddress(given?: string, token?: string): TrackingAddress {
  const { MLFLOW_TRACKING_URI, MLFLOW_TRACKING_TOKEN, MLFLOW_TRACKING_USERNAME, MLFLOW_TRACKING_PASSWORD } =
    process.env;
  const text = given || MLFLOW_TRACKING_URI;
  if (!text) {
    throw new MlflowAddressInvalid('no address of an MLflow server is given', {
      hint: 'set MLFLOW_TRACKING_URI, or `nautil up` starts a server and says where',
    });
  }
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol !== 'http:' && url?.protocol !== 'https:') {
    throw new MlflowAddressInvalid(`MLflow tracking address ${text} is not http:// or https://`, {
      hint: 'runs are tracked on a server; `nautil up` starts one and says where',
    });
  }
  const user = decodeURIComponent(url.username) || MLFLOW_TRACKING_USERNAME;
  const password = decodeURIComponent(url.password) || MLFLOW_TRACKING_PASSWORD;
  const bearer = token || (url.username ? undefined : MLFLOW_TRACKING_TOKEN);
  const authorization = bearer
    ? `Bearer ${bearer}`
    : user
      ? `Basic ${Buffer.from(`${user}:${password ?? ''}`).toString('base64')}`
      : undefined;
  url.username = url.password = url.search = url.hash = '';
  return { trackingUri: url.href.replace(/\/+$/, ''), ...(authorization ? { authorization } : {}) };
}
