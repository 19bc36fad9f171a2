const { ALPHA, BETA, GAMMA_KEY, DELTA_KEY } = process.env;
