from django.db import models


class Item(models.Model):
    sku = models.CharField(max_length=40)

    class Meta:
        indexes = (models.Index(fields=["sku"], name="item_by_sku"),)
