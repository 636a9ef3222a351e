export { ChecksumMismatch, fetchFile } from './fetch-file.js';
export { fetchFromHub, hubEndpoint, HubRefused, HubUnavailable } from './fetch-from-hub.js';
export { isHttp, versionAt } from './request.js';
export { isArchive, unpackArchive } from './unpack-archive.js';
