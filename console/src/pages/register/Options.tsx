/** How a model starts; what is empty is the model's own. */
export interface StartOptions {
  model_name: string;
  initial_workers: string;
  batch_size: string;
}

export function Options({ options, onChange }: { options: StartOptions; onChange: (options: StartOptions) => void }) {
  const field = (name: keyof StartOptions) => ({
    value: options[name],
    onInput: (event: { currentTarget: HTMLInputElement }) => onChange({ ...options, [name]: event.currentTarget.value }),
  });
  return (
    <section class="card" aria-labelledby="options">
      <div class="card-head">
        <h2 id="options">How it starts</h2>
      </div>
      <div class="card-body">
        <div class="fields">
          <label class="field">
            Name
            <input autocomplete="off" spellcheck={false} placeholder="the model's own" {...field('model_name')} />
          </label>
          <label class="field">
            Workers
            <input type="number" min={0} placeholder="the model's own" {...field('initial_workers')} />
          </label>
          <label class="field">
            Largest batch
            <input type="number" min={1} placeholder="the model's own" {...field('batch_size')} />
          </label>
        </div>
      </div>
    </section>
  );
}
