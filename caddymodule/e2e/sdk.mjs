// Drives the real Parse JavaScript SDK through whatever serves the API, and checks what an app relies on.
//
// Run by TestSDK, or by hand:
//   PARSESCALE_SDK='{"serverURL":"http://127.0.0.1:1337/parse","applicationId":"myAppId","masterKey":"…"}' node sdk.mjs
// Further members: javascriptKey, restAPIKey. It prints one JSON line for each check ({"check","ok","ms","error"}) and at
// last {"done":true,"requests","hits","retries"}: hits are answers whose Cache-Status says so. The SDK's own retries are off.
import { createRequire } from 'node:module';
import assert from 'node:assert/strict';

const require = createRequire(import.meta.url);
const Parse = require('parse/node');

const config = JSON.parse(process.env.PARSESCALE_SDK);
Parse.initialize(config.applicationId, config.javascriptKey, config.masterKey);
Parse.serverURL = config.serverURL;
Parse.CoreManager.set('REQUEST_ATTEMPT_LIMIT', 1);

// Names are new in every run, so that it can be run again against the same database.
const run = Date.now().toString(36);
const name = (s) => `${s}_${run}`;
const master = { useMasterKey: true };

const seen = { requests: 0, hits: 0 };
const fetchOfNode = globalThis.fetch;
globalThis.fetch = async (...args) => {
  const response = await fetchOfNode(...args);
  seen.requests++;
  if (/^parsescale; *hit/i.test(response.headers.get('cache-status') ?? '')) seen.hits++;
  return response;
};

// Each question is asked this often in a row: at first a worker answers, then the cache, and in between the other worker.
const repeats = 6;

// always asks several times, one after the other and then all at once, and demands the same answer each time.
async function always(ask, check) {
  for (let i = 0; i < repeats; i++) check(await ask());
  for (const answer of await Promise.all(Array.from({ length: repeats }, ask))) check(answer);
}

// refused asks several times and demands the error code each time.
async function refused(code, ask) {
  for (let i = 0; i < repeats; i++) {
    await assert.rejects(ask, (e) => {
      assert.equal(e.code, code, `code ${e.code}: ${e.message}`);
      return true;
    });
  }
}

const find = (cls, session) => new Parse.Query(cls).find({ sessionToken: session });
const ids = (objects) => objects.map((o) => o.id).sort();
const asUser = (user) => ({ sessionToken: user.getSessionToken() });

async function signUp(username) {
  const user = new Parse.User();
  await user.signUp({ username: name(username), password: 'secret of ' + username }, { installationId: name(username) });
  assert.match(user.getSessionToken(), /^r:[0-9a-f]{32}$/);
  return user;
}

const checks = [];
const check = (title, f) => checks.push([title, f]);

let ann, bob;

check('sign-up', async () => {
  ann = await signUp('ann');
  bob = await signUp('bob');
  await refused(202, () => signUp('ann'));
  const me = await Parse.User.me(ann.getSessionToken());
  assert.equal(me.id, ann.id);
  assert.equal(me.get('password'), undefined);
});

check('log-in', async () => {
  const again = await Parse.User.logIn(name('ann'), 'secret of ann', { installationId: name('other device') });
  assert.equal(again.id, ann.id);
  assert.notEqual(again.getSessionToken(), ann.getSessionToken());
  await always(() => Parse.User.me(again.getSessionToken()), (me) => assert.equal(me.id, ann.id));
  await always(() => Parse.User.me(ann.getSessionToken()), (me) => assert.equal(me.id, ann.id));
  await refused(101, () => Parse.User.logIn(name('ann'), 'secret of bob'));
  await refused(101, () => Parse.User.logIn(name('nobody'), 'secret of bob'));
  await refused(209, () => Parse.User.me('r:00000000000000000000000000000000'));
});

const Item = name('Item');
const Shop = name('Shop');
const shops = [];

check('1,000 objects saved with saveAll', async () => {
  for (let i = 0; i < 10; i++) {
    shops.push(new Parse.Object(Shop, { name: `shop ${i}`, city: i % 2 ? 'Bern' : 'Oslo', at: new Date(86400000 * i) }));
  }
  await Parse.Object.saveAll(shops);
  const items = [];
  for (let i = 0; i < 1000; i++) {
    const item = new Parse.Object(Item, { n: i, label: `item ${String(i).padStart(4, '0')}`, even: i % 2 === 0, shop: shops[i % 10] });
    if (i % 3 === 0) item.set('tags', ['third', i % 2 ? 'odd' : 'even']);
    items.push(item);
  }
  const saved = await Parse.Object.saveAll(items);
  assert.equal(new Set(saved.map((o) => o.id)).size, 1000);
  await always(() => new Parse.Query(Item).count(), (n) => assert.equal(n, 1000));
  const all = await new Parse.Query(Item).ascending('n').limit(1000).find();
  assert.deepEqual(all.map((o) => o.get('n')), Array.from({ length: 1000 }, (_, i) => i));
});

check('an object comes back as it was saved', async () => {
  const value = {
    text: 'Grüße "quoted" \\ \u0001 \u{1F600}', number: -0.1, big: 1e21, yes: true, list: [1, 'two', [3], { four: 4 }],
    nested: { deep: { deeper: [null, { a: 'b' }] } }, when: new Date(1700000000123), place: new Parse.GeoPoint(47.5, 8.25),
    to: shops[0].toPointer(),
  };
  const made = await new Parse.Object(name('Kinds'), value).save();
  await always(() => new Parse.Query(name('Kinds')).get(made.id), (o) => {
    for (const key of ['text', 'number', 'big', 'yes', 'list', 'nested']) assert.deepEqual(o.get(key), value[key], key);
    assert.equal(o.get('when').getTime(), value.when.getTime());
    assert.deepEqual(o.get('place').toJSON(), value.place.toJSON());
    assert.deepEqual(o.get('to').toPointer(), value.to);
    assert.ok(o.createdAt instanceof Date);
  });
  await refused(101, () => new Parse.Query(name('Kinds')).get('nosuchobj1'));
});

const numbers = (objects) => objects.map((o) => o.get('n'));
const items = () => new Parse.Query(Item).ascending('n');

const queries = [
  ['equalTo', () => items().equalTo('n', 7), [7]],
  ['greaterThan and lessThanOrEqualTo', () => items().greaterThan('n', 3).lessThanOrEqualTo('n', 6), [4, 5, 6]],
  ['containedIn', () => items().containedIn('n', [3, 1, 5000]), [1, 3]],
  ['notContainedIn with lessThan', () => items().notContainedIn('n', [0, 1, 2]).lessThan('n', 5), [3, 4]],
  ['notEqualTo with lessThan', () => items().notEqualTo('even', true).lessThan('n', 6), [1, 3, 5]],
  ['exists', () => items().exists('tags').lessThan('n', 8), [0, 3, 6]],
  ['doesNotExist', () => items().doesNotExist('tags').lessThan('n', 5), [1, 2, 4]],
  ['containsAll', () => items().containsAll('tags', ['third', 'odd']).lessThan('n', 10), [3, 9]],
  ['containedIn on an array', () => items().containedIn('tags', ['even', 'other']).lessThan('n', 10), [0, 6]],
  ['startsWith', () => items().startsWith('label', 'item 001').limit(3), [10, 11, 12]],
  ['matches', () => items().matches('label', /^ITEM 00[0-2]5$/, 'i'), [5, 15, 25]],
  ['or', () => Parse.Query.or(items().equalTo('n', 1), items().equalTo('n', 998)).ascending('n'), [1, 998]],
  ['and', () => Parse.Query.and(items().greaterThan('n', 1), items().lessThan('n', 4)).ascending('n'), [2, 3]],
  ['nor', () => Parse.Query.nor(items().greaterThan('n', 2), items().equalTo('n', 0)).ascending('n'), [1, 2]],
  ['a pointer', () => items().equalTo('shop', shops[3]).limit(3), [3, 13, 23]],
  ['descending, skip and limit', () => new Parse.Query(Item).descending('n').skip(10).limit(3), [989, 988, 987]],
  ['$inQuery', () => items().matchesQuery('shop', new Parse.Query(Shop).equalTo('city', 'Bern')).limit(4), [1, 3, 5, 7]],
  ['$notInQuery', () => items().doesNotMatchQuery('shop', new Parse.Query(Shop).equalTo('city', 'Bern')).limit(4), [0, 2, 4, 6]],
  ['$inQuery on a date', () => items().matchesQuery('shop', new Parse.Query(Shop).lessThan('at', new Date(86400000 * 2))).limit(4), [0, 1, 10, 11]],
];
for (const [title, query, want] of queries) {
  check(`query: ${title}`, () => always(() => query().find(), (found) => assert.deepEqual(numbers(found), want)));
}

check('query: include, select and first', async () => {
  await always(() => items().include('shop').equalTo('n', 12).find(), ([o]) => {
    assert.equal(o.get('shop').get('name'), 'shop 2');
    assert.equal(o.get('shop').get('city'), 'Oslo');
  });
  await always(() => items().select('label').equalTo('n', 12).first(), (o) => {
    assert.equal(o.get('label'), 'item 0012');
    assert.equal(o.get('even'), undefined);
  });
});

check('a cached include shows a change of the included object at once', async () => {
  const ask = () => items().include('shop').equalTo('n', 24).first();
  await always(ask, (o) => assert.equal(o.get('shop').get('name'), 'shop 4'));
  for (const renamed of ['renamed', 'renamed again', 'shop 4']) {
    await shops[4].save('name', renamed);
    await always(ask, (o) => assert.equal(o.get('shop').get('name'), renamed));
  }
});

check('a cached $inQuery shows a change of the inner class at once', async () => {
  const ask = () => items().matchesQuery('shop', new Parse.Query(Shop).equalTo('name', 'shop 5')).count();
  await always(ask, (n) => assert.equal(n, 100));
  await shops[5].save('name', 'closed');
  await always(ask, (n) => assert.equal(n, 0));
  await shops[5].save('name', 'shop 5');
  await always(ask, (n) => assert.equal(n, 100));
});

check("ACL'd objects are seen by their user and by nobody else", async () => {
  const cls = name('Diary');
  const page = new Parse.Object(cls, { text: 'private' });
  page.setACL(new Parse.ACL(ann));
  await page.save(null, asUser(ann));
  const open = new Parse.Object(cls, { text: 'public' });
  await open.save(null, asUser(ann));
  const both = ids([page, open]);
  // In turns, so that whatever is remembered for one is there when the other asks.
  for (let i = 0; i < 3; i++) {
    await always(() => find(cls, ann.getSessionToken()), (o) => assert.deepEqual(ids(o), both));
    await always(() => find(cls, bob.getSessionToken()), (o) => assert.deepEqual(ids(o), [open.id]));
    await always(() => find(cls), (o) => assert.deepEqual(ids(o), [open.id]));
    await always(() => new Parse.Query(cls).find(master), (o) => assert.deepEqual(ids(o), both));
    await always(() => new Parse.Query(cls).get(page.id, asUser(ann)), (o) => assert.equal(o.get('text'), 'private'));
    await refused(101, () => new Parse.Query(cls).get(page.id, asUser(bob)));
    await refused(101, () => new Parse.Query(cls).get(page.id));
  }
  await refused(101, () => Parse.Object.fromJSON({ className: cls, objectId: page.id }).save({ text: 'forged' }, asUser(bob)));
  // Shared, and taken back.
  page.getACL().setReadAccess(bob, true);
  await page.save({}, asUser(ann));
  const acl = new Parse.ACL(ann);
  acl.setReadAccess(bob, true);
  await page.save({ ACL: acl }, asUser(ann));
  await always(() => find(cls, bob.getSessionToken()), (o) => assert.deepEqual(ids(o), both));
  await page.save({ ACL: new Parse.ACL(ann) }, asUser(ann));
  await always(() => find(cls, bob.getSessionToken()), (o) => assert.deepEqual(ids(o), [open.id]));
});

check('a role taken away takes effect at once', async () => {
  const cls = name('Minutes');
  const editors = new Parse.Role(name('editors'), new Parse.ACL());
  editors.getUsers().add([ann, bob]);
  await editors.save(null, master);
  const acl = new Parse.ACL();
  acl.setRoleReadAccess(editors, true);
  acl.setRoleWriteAccess(editors, true);
  const doc = new Parse.Object(cls, { text: 'for editors' });
  doc.setACL(acl);
  await doc.save(null, master);
  for (let round = 0; round < 5; round++) {
    await always(() => find(cls, bob.getSessionToken()), (o) => assert.deepEqual(ids(o), [doc.id], 'a member sees it'));
    editors.getUsers().remove(bob);
    await editors.save(null, master);
    await always(() => find(cls, bob.getSessionToken()), (o) => assert.deepEqual(ids(o), [], 'no member any more'));
    await refused(101, () => new Parse.Query(cls).get(doc.id, asUser(bob)));
    await refused(101, () => Parse.Object.fromJSON({ className: cls, objectId: doc.id }).save({ text: 'late' }, asUser(bob)));
    await always(() => find(cls, ann.getSessionToken()), (o) => assert.deepEqual(ids(o), [doc.id], 'the other member still sees it'));
    editors.getUsers().add(bob);
    await editors.save(null, master);
  }
  // Through a role of roles.
  const staff = new Parse.Role(name('staff'), new Parse.ACL());
  const cat = await signUp('cat');
  staff.getUsers().add(cat);
  await staff.save(null, master);
  await always(() => find(cls, cat.getSessionToken()), (o) => assert.deepEqual(ids(o), []));
  editors.getRoles().add(staff);
  await editors.save(null, master);
  await always(() => find(cls, cat.getSessionToken()), (o) => assert.deepEqual(ids(o), [doc.id]));
  await staff.destroy(master);
  await always(() => find(cls, cat.getSessionToken()), (o) => assert.deepEqual(ids(o), []));
});

check('a session logged out takes effect at once', async () => {
  const cls = name('Note');
  const note = new Parse.Object(cls, { text: 'mine' });
  note.setACL(new Parse.ACL(bob));
  await note.save(null, asUser(bob));
  for (let round = 0; round < 5; round++) {
    const session = (await Parse.User.logIn(name('bob'), 'secret of bob', { installationId: name('phone') })).getSessionToken();
    await always(() => find(cls, session), (o) => assert.deepEqual(ids(o), [note.id]));
    await always(() => Parse.User.me(session), (me) => assert.equal(me.id, bob.id));
    await Parse.User.logOut({ sessionToken: session });
    await refused(209, () => find(cls, session));
    await refused(209, () => Parse.User.me(session));
    await refused(209, () => new Parse.Object(cls, { text: 'late' }).save(null, { sessionToken: session }));
    await always(() => find(cls, bob.getSessionToken()), (o) => assert.deepEqual(ids(o), [note.id]));
  }
});

check('a password change ends the sessions of other devices at once', async () => {
  const dan = await signUp('dan');
  const old = dan.getSessionToken();
  await always(() => Parse.User.me(old), (me) => assert.equal(me.id, dan.id));
  await dan.save({ password: 'another secret' }, { sessionToken: old });
  await refused(209, () => Parse.User.me(old));
  await refused(101, () => Parse.User.logIn(name('dan'), 'secret of dan'));
  const again = await Parse.User.logIn(name('dan'), 'another secret');
  assert.equal(again.id, dan.id);
});

check('counters incremented from 10 clients at once', async () => {
  const cls = name('Counter');
  const counter = await new Parse.Object(cls, { n: 0, from: [] }).save();
  const clients = Array.from({ length: 10 }, (_, client) => (async () => {
    for (let i = 0; i < 10; i++) {
      const mine = Parse.Object.fromJSON({ className: cls, objectId: counter.id }, true);
      mine.increment('n');
      mine.addUnique('from', `${client}/${i}`);
      await mine.save(null, { installationId: name(`client${client}`) });
    }
  })());
  await Promise.all(clients);
  await always(() => new Parse.Query(cls).get(counter.id), (o) => {
    assert.equal(o.get('n'), 100);
    assert.equal(o.get('from').length, 100);
  });
});

check('a destroyed object is gone from every cached query at once', async () => {
  const cls = name('Leaf');
  const tree = name('Tree');
  const leaves = Array.from({ length: 8 }, (_, i) => new Parse.Object(cls, { n: i, kind: 'leaf', seen: new Date(i) }));
  await Parse.Object.saveAll(leaves);
  await new Parse.Object(tree, { leaf: leaves[3], leaves }).save();
  const q = () => new Parse.Query(cls);
  const shows = [
    [() => q().find(), (r) => r.length],
    [() => q().equalTo('kind', 'leaf').find(), (r) => r.length],
    [() => q().equalTo('n', 3).find(), (r) => r.length + 7],
    [() => q().greaterThan('n', 2).ascending('n').limit(3).find(), (r) => (r.some((o) => o.get('n') === 3) ? 8 : 7)],
    [() => q().descending('n').skip(3).limit(2).find(), (r) => (r.some((o) => o.get('n') === 3) ? 8 : 7)],
    [() => q().startsWith('kind', 'le').find(), (r) => r.length],
    [() => q().lessThan('seen', new Date(1000)).find(), (r) => r.length],
    [() => Parse.Query.or(q().equalTo('n', 3), q().equalTo('n', -1)).find(), (r) => r.length + 7],
    [() => q().count(), (n) => n],
    [() => q().equalTo('kind', 'leaf').count(), (n) => n],
    [() => new Parse.Query(tree).matchesQuery('leaf', q().equalTo('n', 3)).find(), (r) => r.length + 7],
    [() => new Parse.Query(tree).include('leaf').first(), (o) => (o.get('leaf')?.get('kind') ? 8 : 7)],
    [() => new Parse.Query(tree).include('leaves').first(), (o) => o.get('leaves').filter((l) => l?.get('kind')).length],
  ];
  for (const [ask, shown] of shows) await always(ask, (r) => assert.equal(shown(r), 8));
  await always(() => q().get(leaves[3].id), (o) => assert.equal(o.get('n'), 3));
  await leaves[3].destroy();
  await refused(101, () => q().get(leaves[3].id));
  for (const [i, [ask, shown]] of shows.entries()) await always(ask, (r) => assert.equal(shown(r), 7, `query ${i}: ${ask}`));
});

check('a batch of 50 creates of a new class', async () => {
  const cls = name('Batch');
  const made = await Parse.Object.saveAll(Array.from({ length: 50 }, (_, i) => new Parse.Object(cls, { n: i, s: `s${i}` })), { batchSize: 50 });
  assert.equal(new Set(ids(made)).size, 50);
  await always(() => new Parse.Query(cls).limit(100).find(), (found) => assert.deepEqual(ids(found), ids(made)));
});

check('50 creates at once over 50 connections of a new class', async () => {
  const cls = name('Rush');
  // Nothing is reused between calls made at the same time: each has its own connection.
  const made = await Promise.all(Array.from({ length: 50 }, (_, i) => new Parse.Object(cls, { n: i, s: `s${i}` }).save()));
  assert.equal(new Set(ids(made)).size, 50);
  await always(() => new Parse.Query(cls).limit(100).find(), (found) => assert.deepEqual(ids(found), ids(made)));
});

check('a file', async () => {
  const file = await new Parse.File('note.txt', { base64: Buffer.from('content of a file').toString('base64') }, 'text/plain').save(asUser(ann));
  const holder = await new Parse.Object(name('Holder'), { file }).save();
  const found = await new Parse.Query(name('Holder')).get(holder.id);
  assert.equal(found.get('file').name(), file.name());
  const stored = await fetchOfNode(`${config.serverURL}/files/${config.applicationId}/${file.name()}`);
  assert.equal(stored.status, 200);
  assert.equal(await stored.text(), 'content of a file');
});

check('what changes is answered as the SDK expects', async () => {
  const cls = name('Ops');
  const o = await new Parse.Object(cls, { n: 1, list: ['a'], gone: 'soon' }).save();
  o.increment('n', 4);
  o.add('list', 'b');
  o.unset('gone');
  await o.save();
  assert.equal(o.get('n'), 5);
  await always(() => new Parse.Query(cls).get(o.id), (got) => {
    assert.deepEqual([got.get('n'), got.get('list'), got.get('gone')], [5, ['a', 'b'], undefined]);
  });
  o.remove('list', 'a');
  await o.save();
  await always(() => new Parse.Query(cls).containsAll('list', ['a']).count(), (n) => assert.equal(n, 0));
  await refused(111, () => Parse.Object.fromJSON({ className: cls, objectId: o.id }).save({ n: 'text' }));
});

for (const [title, f] of checks) {
  const begin = performance.now();
  let error;
  try {
    await f();
  } catch (e) {
    error = e?.code !== undefined ? `code ${e.code}: ${e.message}\n${e.stack}` : String(e?.stack ?? e);
  }
  console.log(JSON.stringify({ check: title, ok: error === undefined, ms: Math.round(performance.now() - begin), error }));
}
console.log(JSON.stringify({ done: true, checks: checks.length, ...seen }));
