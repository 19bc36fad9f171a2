kubectl create secret generic database --from-env-file=.env.production
