// Makes the site's files from the compiled page: target/site/pkg with the loader, the WASM and the CSS, each with
// its content's hash in the name and a brotli and a gzip copy beside it, and target/site/manifest.json, which names them.

import binaryen from 'binaryen';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';

const WASM_BINDGEN = process.env.WASM_BINDGEN ?? 'wasm-bindgen';
const WASM_SPLIT = process.env.WASM_SPLIT ?? 'wasm-split-cli';
// `wasm-dev` for the page as it is being written: neither made small nor compressed well.
const PROFILE = process.env.SITE_PROFILE ?? 'wasm-release';
const IS_RELEASE = PROFILE === 'wasm-release';
const COMPILED = `target/wasm32-unknown-unknown/${PROFILE}/frontend.wasm`;
const WORK = 'target/site-work';
const SITE = 'target/site';

// Exactly what rustc enables by default for wasm32: more would shut out browsers that run the rest.
const WASM_FEATURES = [
  '--enable-bulk-memory',
  '--enable-multivalue',
  '--enable-mutable-globals',
  '--enable-nontrapping-float-to-int',
  '--enable-reference-types',
  '--enable-sign-ext',
];
// The page is sent compressed. Code that is not folded into its callers, and stands beside what it resembles, compresses
// best, though it is the larger as it stands: 16 % less to send than with -Oz.
const WASM_OPTIMISATION = [
  '-Os',
  '--one-caller-inline-max-function-size=1',
  '--always-inline-max-function-size=0',
  '--flexible-inline-max-function-size=0',
  '--low-memory-unused',
  '--skip-pass=local-cse',
  '--converge',
  '--reorder-functions-by-name',
  // Nothing reads them, and each of the parts has its own.
  '--strip-producers',
  '--strip-target-features',
];
// CSS nesting and light-dark() are lowered for what is older than these.
const BROWSERS = 'chrome111,firefox113,safari16.4';

function run(program, ...args) {
  execFileSync(program, args, { stdio: ['ignore', 'inherit', 'inherit'] });
}

function kib(bytes) {
  return `${(bytes / 1024).toFixed(1)} KiB`;
}

/** Writes a file under its content's hash, with its compressed copies, and returns its path below the site's root. */
function publish(source, extension) {
  const content = readFileSync(source);
  const hash = createHash('sha256').update(content).digest('hex').slice(0, 16);
  const path = `pkg/testarena.${hash}.${extension}`;
  const packed = brotliCompressSync(content, {
    params: { [constants.BROTLI_PARAM_QUALITY]: IS_RELEASE ? constants.BROTLI_MAX_QUALITY : 1, [constants.BROTLI_PARAM_SIZE_HINT]: content.length },
  });
  writeFileSync(`${WORK}/site/${path}`, content);
  writeFileSync(`${WORK}/site/${path}.br`, packed);
  writeFileSync(`${WORK}/site/${path}.gz`, gzipSync(content, { level: constants.Z_BEST_COMPRESSION }));
  console.log(`${path}: ${kib(content.length)}, ${kib(packed.length)} with brotli`);
  return path;
}

rmSync(WORK, { recursive: true, force: true });
mkdirSync(`${WORK}/site/pkg`, { recursive: true });

/** Takes out of the page what only single views need: `loader` fetches each part when it is asked for. */
function split() {
  const parts = `${WORK}/parts`;
  run(WASM_SPLIT, COMPILED, parts, '--target', 'web', '--out-name', 'testarena');
  const loader = `${parts}/__wasm_split.js`;
  let script = readFileSync(loader, 'utf8');
  for (const name of readdirSync(parts).filter((name) => name.endsWith('.wasm') && name !== 'testarena.wasm')) {
    optimise(`${parts}/${name}`, `${WORK}/part.wasm`);
    const path = publish(`${WORK}/part.wasm`, 'wasm');
    // Beside the script, which is published in the same folder.
    script = script.replaceAll(`"./${name}"`, JSON.stringify(path.replace(/^pkg\//, './')));
  }
  writeFileSync(`${WORK}/__wasm_split.js`, script);
  return `${parts}/testarena.wasm`;
}

function optimise(from, to) {
  if (!IS_RELEASE) return copyFileSync(from, to);
  const lean = `${WORK}/lean.wasm`;
  leaveOut(from, lean);
  run('node_modules/.bin/wasm-opt', ...WASM_OPTIMISATION, ...WASM_FEATURES, lean, '-o', to);
}

/** What `hydrate_lazy` would take a page over by. Every erased view points at its own, so that no tool sees that
 * `hydrate_body`, which the page begins with, calls none of them: a twelfth of all that is sent. Only these functions
 * themselves: of what merely has one in its type, the compiler may have made one with something else. */
const ASYNC_HYDRATION = /13hydrate_async(28_\$u7b\$\$u7b\$closure\$u7d\$\$u7d\$)*17h[0-9a-f]{16}E$/;

/** Of classes that scripts make streams with: they come with leptos, and no script of the page's does. */
const STREAM = /^(__wbg_)?intounderlying/;
const STREAM_CLASS = /export class IntoUnderlying(\w+) \{.*?\n\}\n.*?\n|const IntoUnderlying\w+Finalization = .*?;\n/gs;

function leaveOut(from, to) {
  const module = binaryen.readBinary(readFileSync(from));
  const given = Array.from({ length: module.getNumExports() }, (_, at) => module.getExportByIndex(at));
  for (const { name } of given.map(binaryen.getExportInfo)) if (STREAM.test(name)) module.removeExport(name);
  for (let at = 0; at < module.getNumFunctions(); at++) {
    const one = module.getFunctionByIndex(at);
    if (ASYNC_HYDRATION.test(binaryen.getFunctionInfo(one).name)) binaryen.Function.setBody(one, module.unreachable());
  }
  // The names, by which the functions are put in order.
  binaryen.setDebugInfo(true);
  writeFileSync(to, module.emitBinary());
  module.dispose();
}

/** What the script gives to the WASM is called by a hash, in either file: a number in its place is as good and packs. */
const HASHED = /(__wb(?:g|indgen)_\w+?)_[0-9a-f]{16}(?![0-9a-zA-Z_])/g;

function renameAlike(...paths) {
  const [names, counts] = [new Map(), new Map()];
  const rename = (hashed, name) => {
    if (!names.has(hashed)) {
      counts.set(name, (counts.get(name) ?? -1) + 1);
      // As long as it was, so that nothing else in the WASM moves.
      names.set(hashed, `${name}_${String(counts.get(name)).padStart(16, '0')}`);
    }
    return names.get(hashed);
  };
  // Every byte is a letter of this one.
  for (const path of paths) writeFileSync(path, readFileSync(path, 'latin1').replace(HASHED, rename), 'latin1');
}

// What the parts need of the main one is exported from it, by names that wasm-bindgen would else tidy away.
const KEPT = ['--keep-lld-exports', '--no-demangle', '--remove-producers-section'];
run(WASM_BINDGEN, split(), '--target', 'web', '--no-typescript', ...KEPT, '--out-name', 'testarena', '--out-dir', WORK);
optimise(`${WORK}/testarena_bg.wasm`, `${WORK}/small.wasm`);
if (IS_RELEASE) writeFileSync(`${WORK}/testarena.js`, readFileSync(`${WORK}/testarena.js`, 'utf8').replace(STREAM_CLASS, ''));
// wasm-bindgen names the loader once for each part.
const SCRIPT = ['--bundle', '--minify', '--format=esm', '--log-level=warning', '--log-override:duplicate-object-key=silent'];
run('node_modules/.bin/esbuild', `${WORK}/testarena.js`, ...SCRIPT, `--outfile=${WORK}/small.js`);
renameAlike(`${WORK}/small.js`, `${WORK}/small.wasm`);
run('node_modules/.bin/esbuild', 'style/main.css', '--bundle', '--minify', `--target=${BROWSERS}`, '--log-level=warning', `--outfile=${WORK}/small.css`);

const manifest = {
  js: publish(`${WORK}/small.js`, 'js'),
  wasm: publish(`${WORK}/small.wasm`, 'wasm'),
  css: publish(`${WORK}/small.css`, 'css'),
};
if (existsSync('app/public')) {
  for (const name of readdirSync('app/public')) cpSync(`app/public/${name}`, `${WORK}/site/${name}`, { recursive: true });
}
writeFileSync(`${WORK}/site/manifest.json`, `${JSON.stringify(manifest)}\n`);

// Only a whole site takes the old one's place.
rmSync(SITE, { recursive: true, force: true });
renameSync(`${WORK}/site`, SITE);
rmSync(WORK, { recursive: true, force: true });
