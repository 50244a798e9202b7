"""Workers of a tf.data service, for `fit --data-service`."""
