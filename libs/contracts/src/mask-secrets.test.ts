import { expect, test } from '@jest/globals';
import { type NautilError, UsageError } from './errors.js';
import { maskSecrets, withoutSecrets } from './mask-secrets.js';

test.each([
  ['http://alice:s3cret@mlflow:5000/path', 'http://***@mlflow:5000/path'],
  ['https://hf_abcdef@hub.example', 'https://***@hub.example'],
  ['http://:s3cret@host', 'http://***@host'],
  ['http://alice:p@ss:w@rd@host/x', 'http://***@host/x'],
  ['postgresql+psycopg2://u:p@db/mlflow and http://u:p@b/', 'postgresql+psycopg2://***@db/mlflow and http://***@b/'],
  [
    'https://b.s3.amazonaws.com/f?X-Amz-Credential=AKIA%2F1&X-Amz-Date=2026&X-Amz-Signature=abc&X-Amz-Security-Token=t',
    'https://b.s3.amazonaws.com/f?X-Amz-Credential=***&X-Amz-Date=2026&X-Amz-Signature=***&X-Amz-Security-Token=***',
  ],
  [
    'https://a.blob.core.windows.net/f?sv=2024&sig=a%2Bb%3D&se=1',
    'https://a.blob.core.windows.net/f?sv=2024&sig=***&se=1',
  ],
  [
    'https://storage.googleapis.com/f?GoogleAccessId=x&Signature=abc',
    'https://storage.googleapis.com/f?GoogleAccessId=x&Signature=***',
  ],
  ['(https://host/f?token=abc): 404', '(https://host/f?token=***): 404'],
  ['https://host/f?access_token=abc#top', 'https://host/f?access_token=***#top'],
  ['authorization: Bearer abc.def', 'authorization: ***'],
  ['Authorization: Token abc', 'Authorization: Token ***'],
])('the password or signature in %s is masked', (text, masked) => {
  expect(maskSecrets(text).replace('Bearer ', '')).toBe(masked);
});

test.each([
  "s3cr'w0rd",
  's3cr"w0rd',
  's3cr<w0rd>',
  "s3cr'",
  "s3cr','w0rd",
  'my s3cr w0rd',
  's3cr/w0rd',
  's3cr#w0rd',
  's3cr?w0rd=1',
  's3cr@w0rd/@x',
  's3cr\\w0rd',
  's3cr)w0rd',
])('all that is between the scheme and the last @ of an address is masked: %s', (password) => {
  expect(maskSecrets(`no server at http://u:${password}@127.0.0.1:9/x (refused)`)).toBe(
    'no server at http://***@127.0.0.1:9/x (refused)',
  );
});

test.each([
  ['http:/u:p@h', 'http:/***@h'],
  ['http:\\\\u:p@h', 'http:\\\\***@h'],
  ['http:u:p@h', 'http:***@h'],
  ['http:///u:p@h', 'http:///***@h'],
  ['s3:\\\\u:p@h', 's3:\\\\***@h'],
  ['//u:p@h', '//***@h'],
  ['x=//u:p@h', 'x=//***@h'],
  ['u:s3cr@h:7233', '***@h:7233'],
  ["answers at u:s3/c'r@[::1]:7233, so", 'answers at ***@[::1]:7233, so'],
  ['\x1b[31mhttp://u:p@h', '\x1b[31mhttp://***@h'],
  ['https://proxy/http://u:p@h/', 'https://proxy/http://***@h/'],
  ['http://http://u:p@h/', 'http://http://***@h/'],
])('an address is recognised however it is written: %s', (text, masked) => {
  expect(maskSecrets(text)).toBe(masked);
});

test.each([
  ...[
    'jwt',
    'sas',
    'session',
    'pass',
    'my.token',
    'sig[]',
    'sig%5B%5D',
    'hmac',
    'signed',
    'Policy',
    'Key-Pair-Id',
    'auth_key',
    'x',
  ],
])('the value of a parameter that is not known to be harmless is masked: %s', (name) => {
  expect(maskSecrets(`https://h/f?page=2&${name}=a'b)c#${name}=d, so`)).toBe(
    `https://h/f?page=2&${name}=***#${name}=*** so`,
  );
});

test.each([
  ['https://h/#access_token=abc&state=1', 'https://h/#access_token=***&state=***'],
  ['https://h/f;jsessionid=abc/g', 'https://h/f;jsessionid=***'],
  ['https://h/f?token%3Dabc', 'https://h/f?token=***'],
  ['https://h/f?path=x%3Ftoken%3Dabc', 'https://h/f?path=***'],
  ["'https://h/f?a=b', 'https://h/g?c=d'.", "'https://h/f?a=***', 'https://h/g?c=***'."],
  ['{"a":"https://h/f?a=b","b":"c@d"}', '{"a":"https://h/f?a=***","b":"c@d"}'],
  ['/f?my.token=abc', '/f?my.token=***'],
])('fragments, parameters of paths and escaped parameters are masked: %s', (text, masked) => {
  expect(maskSecrets(text)).toBe(masked);
});

test.each([
  'http://127.0.0.1:5000/#/experiments/1/runs/0af?workflowType=machine_learning',
  'http://127.0.0.1:8233/namespaces/default/workflows/tc-1/0af/history',
  'https://huggingface.co/org/name/resolve/main/vocab.txt?download=true#top',
  'no server at http://127.0.0.1:5000: refused; write to alice@example.org',
  'http://[::1]:5000/a@b, http://mlflow:5000/a@b and http://mlflow, not bob@x',
  '"http://mlflow:5000","alice@example.org"',
  'C:\\Users\\a@b\\train.tsv',
  'C:/Users/a@b/train.tsv',
  '\\\\server\\a@b',
  'sqlite:////data/a@b.db',
  'mailto:alice@example.org',
  'cd /data;LR=1 run a&b=c',
  'https://host/path@2x.png?size=1&page=2',
  'write to alice@example.org',
  'model.optim.lr=1e-5',
  'Basic knowledge of tokens',
  'file:///data/a@b/train.tsv',
  'keys=a,b',
])('a text without a secret stays as it is: %s', (text) => {
  expect(maskSecrets(text)).toBe(text);
});

test.each([
  ...[
    'a://',
    'a://b@',
    'a://b:c ',
    'http:',
    'http:a:',
    ' http:b@c',
    'x//',
    ' //a:b',
    'a:b',
    'a:b@',
    'a:b@c:1',
    ' a:b',
    '=a:b',
  ],
  ...["'", "a://b:c'", 'a://b:c\n@', '[a:', 'http://[', '?token', '?a=', 'http://?a', '#a=b', ';', '%3d', '@', 'a,a='],
  ...['authorization: ', 'authorization: a="'],
])('masking takes time in proportion to the length of the text: %j', (part) => {
  const started = performance.now();
  maskSecrets(`${part.repeat(40_000)}@`);
  expect(performance.now() - started).toBeLessThan(2000);
});

test('every text in a JSON value is masked, and everything else is kept', () => {
  expect(withoutSecrets({ a: ['http://u:p@h', 1, null], b: { c: true } })).toEqual({
    a: ['http://***@h', 1, null],
    b: { c: true },
  });
});

test('the message and the hint of every expected error are masked', () => {
  const error: NautilError = new UsageError('no server at http://u:p@h', { hint: 'check http://u:p@h' });
  expect([error.message, error.hint]).toEqual(['no server at http://***@h', 'check http://***@h']);
});
