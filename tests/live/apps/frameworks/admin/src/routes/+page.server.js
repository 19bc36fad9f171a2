export const actions = { default: async () => ({ sent: true }) };
