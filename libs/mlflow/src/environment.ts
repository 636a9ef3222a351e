/** The environment variables that this library reads. */
export function environment() {
  const { MLFLOW_TRACKING_URI, MLFLOW_TRACKING_TOKEN, MLFLOW_TRACKING_USERNAME, MLFLOW_TRACKING_PASSWORD, USER } =
    process.env;
  return {
    trackingUri: MLFLOW_TRACKING_URI,
    token: MLFLOW_TRACKING_TOKEN,
    user: MLFLOW_TRACKING_USERNAME,
    password: MLFLOW_TRACKING_PASSWORD,
    loginName: USER,
  };
}
