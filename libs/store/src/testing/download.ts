// Downloads a file: URL TO SHA256 [PROXY]
import { fetchFile } from '../download/fetch-file.js';

const [url = '', to = '', sha256 = '', proxy] = process.argv.slice(2);
if (proxy) process.env['HTTP_PROXY'] = proxy;
await fetchFile({ url, to, sha256: sha256 || undefined });
