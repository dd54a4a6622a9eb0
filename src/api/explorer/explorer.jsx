/**
 * The explorer's page: GraphiQL, with a field for the API key above it. The key is kept in the browser's session
 * storage, which ends with the tab, and goes nowhere but into the header X-API-KEY of requests to this server.
 */
import { GraphiQL } from 'graphiql';
import { useMemo, useState } from 'react';
import { createRoot } from 'react-dom/client';
import 'graphiql/style.css';
import './explorer.css';

const keyName = 'tollgate-api-key';

const firstQuery = `# Ctrl-Space: complete
# Ctrl-Enter: run
# The book on the left: docs

query Customers {
  customers(paging: { first: 10 }) {
    totalCount
    edges {
      node {
        refId
        name
        createdAt
      }
    }
  }
}
`;

globalThis.MonacoEnvironment = {
  getWorker(_, label) {
    const file = label === 'json' || label === 'graphql' ? label : 'editor';
    return new Worker(`/explorer/${file}.worker.js`, { type: 'module' });
  },
};

function Explorer() {
  const [key, setKey] = useState(() => sessionStorage.getItem(keyName) ?? '');
  const fetcher = useMemo(() => fetcherWith(key), [key]);
  const useKey = (next) => {
    sessionStorage.setItem(keyName, next);
    setKey(next);
  };
  return (
    <>
      <KeyBar current={key} onKey={useKey} />
      <main>
        {key === '' ? (
          <Welcome />
        ) : (
          // A new key starts GraphiQL anew, so that the docs are those that the key may see.
          <GraphiQL
            key={key}
            fetcher={fetcher}
            defaultQuery={firstQuery}
            defaultEditorToolsVisibility="variables"
            isHeadersEditorEnabled={false}
          >
            <GraphiQL.Logo>
              <span className="logo">Tollgate</span>
            </GraphiQL.Logo>
          </GraphiQL>
        )}
      </main>
    </>
  );
}

function KeyBar({ current, onKey }) {
  const [typed, setTyped] = useState(current);
  const [problem, setProblem] = useState('');
  const submit = async (event) => {
    event.preventDefault();
    const key = typed.trim();
    const found = key === '' ? '' : await problemWith(key);
    setProblem(found);
    onKey(found === '' ? key : '');
  };
  return (
    <header>
      <strong>Tollgate API</strong>
      <form onSubmit={submit}>
        <label htmlFor="key">API key</label>
        <input
          id="key"
          type="password"
          autoComplete="off"
          spellCheck={false}
          placeholder="server-…"
          value={typed}
          onChange={(event) => setTyped(event.target.value)}
        />
        <button type="submit">Use key</button>
      </form>
      <output className={problem === '' ? 'state' : 'state problem'}>
        {problem !== '' ? problem : current === '' ? '' : 'Key accepted'}
      </output>
    </header>
  );
}

function Welcome() {
  return (
    <section className="welcome">
      <h1>Explore the API</h1>
      <p>
        Enter the server API key above to see the docs and run queries against this server. The key was
        printed when Tollgate started.
      </p>
    </section>
  );
}

/** What keeps this key from being used, as a sentence; empty when nothing does. */
async function problemWith(key) {
  try {
    const response = await ask(key, { query: '{ __typename }' });
    const { errors } = await response.json();
    return errors?.[0]?.message ?? '';
  } catch {
    return 'The server does not answer.';
  }
}

function fetcherWith(key) {
  return async (params) => {
    const response = await ask(key, params);
    return response.json();
  };
}

function ask(key, params) {
  return fetch('/graphql', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', 'X-API-KEY': key },
    body: JSON.stringify(params),
  });
}

createRoot(document.querySelector('#explorer')).render(<Explorer />);
