import { render } from 'preact';
import './styles/all.css';
import { App } from './app';
import { live } from './api/live';
import { applyTheme } from './theme';

applyTheme();
live.start();
render(<App />, document.getElementById('app')!);
